#!/usr/bin/env bats
# render-table and plot-curves as programs; what they reckon is tested in report_table.c and
# report_curves.c.

setup() {
	bin=${TM_BIN:-$BATS_TEST_DIRNAME/../build/bin}
	root=$BATS_TEST_DIRNAME/..
	work=$(mktemp -d)
	cd "$work"
	printf 'name\tset\tseed\tscale\ttop1\ttop5\n' > head
	{ cat head; printf 'scratch-t\tshapes\t0\ttiny\t30\t60\nscratch-t\tshapes\t1\ttiny\t34\t61\n'; } > a.tsv
	{ cat head; printf 'trans-t\tshapes\t0\ttiny\t50\t80\n'; } > b.tsv
}

teardown() {
	cd /
	rm -rf "$work"
}

table2() {
	"$bin/render-table" --layout "$root/pipelines/tables/table2.conf" \
		--paper "$root/pipelines/paper/table2.tsv" "$@"
}

@test "every layout fits its paper's values, and prints with nothing run" {
	for table in table1 table2 table5 table6 figure1 sweep; do
		for format in markdown tsv latex; do
			run "$bin/render-table" --layout "$root/pipelines/tables/$table.conf" \
				--paper "$root/pipelines/paper/$table.tsv" --format $format
			[ "$status" -eq 0 ]
			[[ $output == *"nothing was run"* ]]
		done
	done
}

@test "our rows beside the paper's: mean, deviation, count, difference" {
	run table2 --rows a.tsv b.tsv
	[ "$status" -eq 0 ]
	grep -qF '| 32.00 ± 2.83 (2) | - |' <<< "$output"
	grep -qF '| 50.00 | +18.00 |' <<< "$output"
	grep -qF '+0.02 [+0.52]' <<< "$output"
	grep -qF 'scale tiny; data shapes; seeds 0, 1' <<< "$output"
}

@test "the TSV and the LaTeX are well formed" {
	table2 --rows a.tsv b.tsv --format tsv > t.tsv
	[ "$(grep -v '^#' t.tsv | awk -F'\t' '{print NF}' | sort -u | wc -l)" -eq 1 ]
	table2 --rows a.tsv b.tsv --format latex > t.tex
	[ "$(grep -c '\\\\$' t.tex)" -eq "$(grep -vc '^#' t.tsv)" ]
	run grep -nE '(^|[^\\])[%_#]' <(grep '\\\\$' t.tex)
	[ "$status" -eq 1 ]
}

@test "a row from standard input; a row of no table is named and left out" {
	run table2 --rows - < a.tsv
	[ "$status" -eq 0 ]
	[[ $output == *"32.00"* ]]
	{ cat head; printf 'nobody\tshapes\t0\ttiny\t50\t80\n'; } > c.tsv
	run table2 --rows c.tsv
	[ "$status" -eq 0 ]
	[[ $output == *"nobody"*"left out"* ]]
}

@test "refused: twice the same run 65, missing 66, called wrongly 64, full disk 74" {
	run table2 --rows a.tsv a.tsv
	[ "$status" -eq 65 ]
	[ "$(wc -l <<< "$output")" -eq 1 ]
	run table2 --rows none.tsv
	[ "$status" -eq 66 ]
	run "$bin/render-table" --rows a.tsv
	[ "$status" -eq 64 ]
	run table2 --format html
	[ "$status" -eq 64 ]
	run bash -c "'$bin/render-table' --layout '$root/pipelines/tables/table1.conf' \
		--paper '$root/pipelines/paper/table1.tsv' > /dev/full"
	[ "$status" -eq 74 ]
}

@test "plot-curves: pictures, points, and where the baseline is reached" {
	command -v gnuplot > /dev/null || skip "gnuplot is not installed"
	printf 'event\tepoch\ttask\tvalid_top1\nepoch\t1\t3\t10\nstep\t1.5\t2\tnan\nepoch\t2\t2\t20\n' > s.tsv
	printf 'event\tepoch\ttask\tvalid_top1\nepoch\t1\t2\t21\nepoch\t2\t1\t40\n' > t.tsv
	run "$bin/plot-curves" --where event=epoch --series "scratch=s.tsv" --series "Trans=t.tsv,s.tsv" \
		--y task --y valid_top1 -o curves
	[ "$status" -eq 0 ]
	[ "$(sed -n 2p <<< "$output")" = "$(printf 'task\tscratch\t1\t2\t2')" ]
	[ "$(sed -n 3p <<< "$output")" = "$(printf 'task\tTrans\t2\t1.5\t2')" ]
	[ "$(sed -n 5p <<< "$output")" = "$(printf 'valid_top1\tTrans\t2\t30\t2')" ]
	[ -s curves.png ] && [ -s curves.svg ]
	grep -qF "$(printf 'Trans\ttask\t1\t2.5\t0.707107\t2')" curves.tsv
	[ "$(ls curves* | wc -l)" -eq 3 ]
}

@test "plot-curves: without gnuplot 69 in one line, called wrongly 64, missing 66, no column 65" {
	printf 'epoch\ty\n1\t2\n' > s.tsv
	run env PATH=/nonexistent "$bin/plot-curves" --series a=s.tsv --y y -o p
	[ "$status" -eq 69 ]
	[ "$(wc -l <<< "$output")" -eq 1 ]
	[[ $output == *gnuplot* ]]
	run "$bin/plot-curves" --series a --y y -o p
	[ "$status" -eq 64 ]
	run "$bin/plot-curves" --series a=s.tsv -o p
	[ "$status" -eq 64 ]
	run "$bin/plot-curves" --series a=none --y y -o p
	[ "$status" -eq 66 ]
	run "$bin/plot-curves" --series a=s.tsv --y z -o p
	[ "$status" -eq 65 ]
	[ -z "$(ls p* 2> /dev/null)" ]
}
