#!/usr/bin/env bats
# eval-cls: the rule of top-k, predictions in and out, classes, images without labels, exit codes.

load tools

setup_file()
{
	cd "$BATS_FILE_TMPDIR"
	make-shapes --set cls --split train --count 320 -q -o train.h5
	make-shapes --set cls --split test --count 75 -q -o test.h5
	pack-images test.h5 --no-labels -q -o unlabelled.h5
	init-weights --arch pmamba-micro-t --depth 2 -o fresh.h5
	distill-step --init fresh.h5 --data train.h5 --method task --batch 16 --epochs 2 -q \
		--set lr=3e-3 -o w.h5
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
	rm -f run*
}

# value COLUMN FILE: of the one row of a result
value()
{
	awk -F'\t' -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i }
		NR == 2 { print $c }' "$2"
}

have_h5py()
{
	/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip "no python3-h5py"
}

@test "one row, and the same with any batch, threads and workers" {
	eval-cls --weights w.h5 --data test.h5 -q >run.tsv
	[ "$(wc -l <run.tsv)" -eq 2 ]
	[ "$(value n run.tsv)" = 75 ]
	[ "$(value name run.tsv)" = pmamba-micro-t ]
	[[ $(value weights run.tsv) == sha256:* ]]
	for more in '--batch 7' '--batch 75 --threads 1' '--workers 0' '--workers 3 --cache 0'; do
		eval-cls --weights w.h5 --data test.h5 -q $more >run2.tsv
		diff <(cut -f1-8 run.tsv) <(cut -f1-8 run2.tsv)
	done
	eval-cls --weights w.h5 --data test.h5 -q --json --name 'row "one"' --column data_share=50% >run.json
	grep -q '"name": *"row \\"one\\""' run.json
	grep -q '"data_share": *"50%"' run.json
}

@test "predictions written and scored again give the same row" {
	eval-cls --weights w.h5 --data test.h5 -q --predictions run-p.h5 --per-class run-c.tsv >run1.tsv
	eval-cls --score run-p.h5 --data test.h5 -q --per-class run-d.tsv >run2.tsv
	for column in n top1 top5 top1_hits top5_hits loss; do
		[ "$(value $column run1.tsv)" = "$(value $column run2.tsv)" ]
	done
	cmp run-c.tsv run-d.tsv
	[ "$(wc -l <run-c.tsv)" -eq 49 ]
	awk -F'\t' 'NR > 1 { n += $3; a += $4; b += $5 } END { print n, a, b }' run-c.tsv >run-sums
	[ "$(cat run-sums)" = "75 $(value top1_hits run1.tsv) $(value top5_hits run1.tsv)" ]
	check-file run-p.h5
}

@test "two weight files in one row" {
	eval-cls --weights fresh.h5 --best w.h5 --data test.h5 -q >run.tsv
	eval-cls --weights w.h5 --data test.h5 -q >run2.tsv
	[ "$(value best_top1_hits run.tsv)" = "$(value top1_hits run2.tsv)" ]
	[ "$(value best_weights run.tsv)" = "$(value weights run2.tsv)" ]
}

# predictions SCRIPT: a predictions file made by h5py; the script fills z (n, 48) from y (n)
predictions()
{
	/usr/bin/python3 - "$1" <<-'END'
	import sys, h5py, numpy as np
	with h5py.File('test.h5') as f:
	    y = f['labels'][...]
	n = len(y)
	z = np.zeros((n, 48), 'f4')
	exec(sys.argv[1])
	with h5py.File('run-p.h5', 'w') as f:
	    f.attrs['kind'] = 'predictions'
	    f.attrs['format_version'] = 1
	    f['logits'] = z
	END
}

@test "a file made by other means: ties go to the lower index" {
	have_h5py
	predictions 'z[np.arange(n), y] = 1'
	eval-cls --score run-p.h5 --data test.h5 -q >run.tsv
	[ "$(value top1_hits run.tsv)" = 75 ]
	# all equal: class 0 wins, 0 to 4 are the five
	predictions 'pass; open("run-want", "w").write("%d %d" % ((y == 0).sum(), (y < 5).sum()))'
	eval-cls --score run-p.h5 --data test.h5 -q >run.tsv
	[ "$(value top1_hits run.tsv) $(value top5_hits run.tsv)" = "$(cat run-want)" ]
	# the label shares the largest logit with the class after it, then with the one before
	predictions 'z[np.arange(n), y] = 1; z[np.arange(n), np.minimum(y + 1, 47)] = 1'
	eval-cls --score run-p.h5 --data test.h5 -q >run.tsv
	[ "$(value top1_hits run.tsv)" = 75 ]
	predictions 'z[np.arange(n), y] = 1; z[np.arange(n), np.maximum(y - 1, 0)] = 1
open("run-want", "w").write("%d 75" % (y == 0).sum())'
	eval-cls --score run-p.h5 --data test.h5 -q >run.tsv
	[ "$(value top1_hits run.tsv) $(value top5_hits run.tsv)" = "$(cat run-want)" ]
	# four larger: in the five; five larger: not
	predictions 'z[np.arange(n), y] = 1
for k in range(1, 5): z[np.arange(n), (y + k) % 48] = 2'
	eval-cls --score run-p.h5 --data test.h5 -q >run.tsv
	[ "$(value top1_hits run.tsv) $(value top5_hits run.tsv)" = '0 75' ]
	predictions 'z[np.arange(n), y] = 1
for k in range(1, 6): z[np.arange(n), (y + k) % 48] = 2'
	eval-cls --score run-p.h5 --data test.h5 -q >run.tsv
	[ "$(value top1_hits run.tsv) $(value top5_hits run.tsv)" = '0 0' ]
}

@test "predictions that do not fit are refused" {
	have_h5py
	predictions 'z = z[:74]'
	expect 65 eval-cls --score run-p.h5 --data test.h5
	message 'run-p.h5: logits do not fit'
	predictions 'z = z[:, :47]'
	expect 65 eval-cls --score run-p.h5 --data test.h5
	predictions 'z = z[:, 0]'
	expect 65 eval-cls --score run-p.h5 --data test.h5
	predictions 'z[3, 5] = float("nan")'
	expect 3 eval-cls --score run-p.h5 --data test.h5
	message 'image 3'
	predictions 'z = z.astype(str).astype(object)'
	expect 65 eval-cls --score run-p.h5 --data test.h5
}

@test "absurd sizes are refused, also without labels" {
	have_h5py
	/usr/bin/python3 - <<-'END'
	import h5py
	with h5py.File('run-p.h5', 'w') as f:
	    f.attrs['kind'] = 'predictions'
	    f.attrs['format_version'] = 1
	    f.create_dataset('logits', (75, 2**58), 'f4', chunks=(1, 1024))
	END
	expect 65 eval-cls --score run-p.h5 --data unlabelled.h5
	/usr/bin/python3 - <<-'END'
	import h5py
	with h5py.File('run-p.h5', 'w') as f:
	    f.attrs['kind'] = 'predictions'
	    f.attrs['format_version'] = 1
	    f.create_dataset('logits', (75, 0), 'f4')
	END
	expect 65 eval-cls --score run-p.h5 --data unlabelled.h5
}

@test "images without labels: the five likeliest of each" {
	eval-cls --weights w.h5 --data unlabelled.h5 -q --predictions run-p.h5 >run.tsv
	[ "$(wc -l <run.tsv)" -eq 76 ]
	head -1 run.tsv | grep -q $'^image\tclass1\tprobability1\t'
	awk -F'\t' 'NR > 1 { for (k = 3; k < 11; k += 2) if (!($k >= $(k + 2))) bad = 1
		if (NF != 11) bad = 1; s = $3 + $5 + $7 + $9 + $11; if (!(s > 0 && s < 1.001)) bad = 1 }
		END { exit bad }' run.tsv
	eval-cls --weights w.h5 --data test.h5 -q >run2.tsv
	# scored against the labels the same predictions have the hits
	eval-cls --score run-p.h5 --data test.h5 -q >run3.tsv
	[ "$(value top5_hits run2.tsv)" = "$(value top5_hits run3.tsv)" ]
	eval-cls --score run-p.h5 --data unlabelled.h5 -q >run4.tsv
	diff run.tsv run4.tsv
}

@test "--min decides the exit code" {
	expect 0 eval-cls --weights w.h5 --data test.h5 --min 0
	expect 1 eval-cls --weights w.h5 --data test.h5 --min 100
	message 'top-1 of .* is below 100'
	message $'^name\t' # the row is there all the same
	expect 64 eval-cls --weights w.h5 --data test.h5 --min 101
}

@test "refusals" {
	init-weights --arch pmamba-micro-t --depth 2 --classes 7 -o run-w.h5
	expect 65 eval-cls --weights run-w.h5 --data test.h5
	message 'run-w.h5: its head is (7, 32), (48, 32) wanted for the 48 classes of test.h5'
	expect 64 eval-cls --data test.h5
	expect 64 eval-cls --weights w.h5 --score w.h5 --data test.h5
	expect 64 eval-cls --score w.h5 --best w.h5 --data test.h5
	expect 64 eval-cls --weights w.h5 --data test.h5 --column nothing
	expect 64 eval-cls --weights w.h5 --data test.h5 --batch 0
	expect 73 eval-cls --weights w.h5 --data test.h5 --per-class missing/run.tsv
	expect 73 eval-cls --weights w.h5 --data test.h5 --predictions missing/run.h5
	expect 74 eval-cls --weights w.h5 --data test.h5 --predictions /dev/full
	expect 74 eval-cls --weights w.h5 --data test.h5 --per-class /dev/full
	check_tool_basics eval-cls --weights w.h5 --data test.h5
}
