#!/usr/bin/env bats
# show-cost on real files: the sums are those of the chains that show-tensors prints.

load tools

setup_file()
{
	cd "$BATS_FILE_TMPDIR"
	PATH=${TM_BIN:-$BATS_TEST_DIRNAME/../build/bin}:$PATH
	make-shapes --set cls --split train --count 64 -q -o data.h5
	init-weights --arch deit-micro-t -q -o t0.h5
	distill-step --init t0.h5 --data data.h5 --method task --batch 16 --epochs 2 -q -o t.h5
	init-weights --arch pmamba-micro-t -q -o s0.h5
	run='--init s0.h5 --teacher t.h5 --data data.h5 --method wsab --batch 16 --epochs 3 --state st.h5'
	distill-step $run -q --stop-after 5 -o s.h5 || [ $? -eq 75 ]
	distill-step $run -q -o s.h5
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
}

# column NAME: of the row in row.tsv
column()
{
	awk -F'\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i } NR == 2 { print $at }' row.tsv
}

# the seconds of the last N links of a chain
seconds_of()
{
	show-tensors -p "$1" | awk '$1 == "seconds" { print $3 }' | tail -n "$2" |
		awk '{ sum += $1 } END { printf "%.6g\n", sum }'
}

@test "a run that was interrupted counts whole, the teacher apart" {
	show-cost --student s.h5 --teacher t.h5 > row.tsv
	[ "$(column student_s)" = "$(seconds_of s.h5 2)" ]
	[ "$(column teacher_s)" = "$(seconds_of t.h5 1)" ]
	[ "$(column own_s)" = "$(column student_s)" ]
	awk -v a="$(column all_s)" -v s="$(column student_s)" -v t="$(column teacher_s)" \
		'BEGIN { exit !(a - s - t < 1e-3 && s + t - a < 1e-3 && s > 0 && t > 0) }'
	[ "$(column student_images)" = 64 ]
	[ "$(column student_used)" = 192 ]
	[ "$(column teacher_used)" = 128 ]
	[ "$(column calibration_s)" = - ]
	[ "$(column teacher_from)" = init-weights ]
}

@test "what was not measured is a dash, and gives no CO2" {
	[ -z "$(show-tensors -p s.h5 | grep energy)" ] || skip "this machine measures energy"
	show-cost --student s.h5 --grid 400 > row.tsv
	[ "$(column student_kj)" = - ]
	[ "$(column all_co2_g)" = - ]
	[ "$(column all_s)" != - ]
}

@test "the row's own columns come first" {
	printf 'name\tset\tseed\ttop1\nscratch-t\tshapes\t0\t25\n' > eval.tsv
	show-cost --student s.h5 --row eval.tsv > row.tsv
	[ "$(head -1 row.tsv | cut -f1-5)" = "$(printf 'name\tset\tseed\ttop1\tstudent_s')" ]
	[ "$(column top1)" = 25 ]
	printf 'scratch-t\tshapes\t1\t26\n' >> eval.tsv
	expect 65 show-cost --student s.h5 --row eval.tsv
	message 'holds 2 rows'
}

@test "refused: nothing asked 64, a factor that is none 64, no provenance 65" {
	expect 64 show-cost
	expect 64 show-cost --student s.h5 --grid much
	init-weights --arch pmamba-micro-t --no-provenance -q -o bare.h5
	expect 65 show-cost --student bare.h5
	message 'bare.h5.*--no-provenance'
}
