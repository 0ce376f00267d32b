#!/usr/bin/env bats
# The pipelines as Make sees them, with stand-ins for the tools that take long: what is run, what is
# run again, what is left alone. The real tools run in CI (make table2 SCALE=smoke).

setup() {
	root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	bin=${TM_BIN:-$root/build/bin}
	work=$(mktemp -d)
	cd "$root"
	find . -path ./build -prune -o -name config.mk -o -name '*.mk' -print0 |
		xargs -0 cp --parents -t "$work"
	cp -r Makefile VERSION pipelines "$work"
	mkdir -p "$work/data" "$work/build/bin" "$work/results"
	cp data/{SOURCES,verify-data,imagenet100.txt,imagenet1k.txt} "$work/data"
	cd "$work"
	export LOG=$work/log
	unset MAKEFLAGS MFLAGS MAKELEVEL STAGE_THREADS CONFIG
	for tool in make-shapes pack-images init-weights import-weights subclone-weights calibrate \
		distill-step eval-cls show-cost bench-step; do
		cp "$BATS_TEST_DIRNAME/stand-in" "build/bin/$tool"
	done
	ln -s "$bin/render-table" "$bin/plot-curves" "$bin/plot-chart" build/bin
	# the stand-ins are older than all they make
	touch -h -d '2001-01-01' build/bin/* build/bin
}

teardown() {
	cd /
	rm -rf "$work"
}

run_make() {
	run timeout 100 make NO_DEPS=1 "$@"
	echo "$output" | tail -20
}

# How often a tool ran, with words in its arguments.
calls() {
	grep -c "^$1 .*${2:-}" "$LOG" || true
}

@test "make alone prints help, in a tree that stays as it was" {
	run_make
	[ "$status" -eq 0 ]
	for goal in table1 table2 table5 table6 figure1 figure3 figure-weights figure-length sweep ablation claims stale record verify-data; do
		grep -q "^  $goal " <<< "$output"
	done
	[ ! -e "$LOG" ]
}

@test "make -n table2 says what would be done, and does nothing" {
	run_make -n table2
	[ "$status" -eq 0 ]
	[ "$(grep -c 'distill-step --method task' <<< "$output")" -eq 6 ]
	[ "$(grep -c 'distill-step --seed 0 --init' <<< "$output")" -eq 18 ]
	[ "$(grep -c 'eval-cls' <<< "$output")" -eq 21 ]
	grep -q -- '--recipe pipelines/recipes/table2/trans.conf' <<< "$output"
	[ "$(grep -cE '(^| )(cc|gcc|clang|ld|ar) ' <<< "$output")" -eq 0 ]
	[ "$(wc -L <<< "$output")" -lt 2200 ]
	[ ! -e "$LOG" ] && [ ! -e build/runs ] && [ ! -e build/data ]
}

@test "table2: every row, once; then nothing is left to do" {
	run_make table2
	[ "$status" -eq 0 ]
	grep -q '^| TransPMamba-T .* | [0-9.]* | +[0-9.]* |' <<< "$output"
	grep -q '^| TransVMamba .* | [0-9.]* | +[0-9.]* |' <<< "$output"
	grep -q '^| TransViM-S .* | [0-9.]* | +[0-9.]* |' <<< "$output"
	[ "$(calls distill-step 'trans-vim-s/0/start.h5.*teacher-s/last.h5')" -eq 1 ]
	[ "$(calls distill-step 'trans-vmamba/0/start.h5.*teacher-b/last.h5')" -eq 1 ]
	[ "$(calls subclone-weights '--after [^ ]*probe-b/last.h5 --student [^ ]*fresh-vmamba')" -eq 1 ]
	[ "$(calls distill-step)" -eq 24 ]
	[ "$(calls subclone-weights)" -eq 9 ]
	[ "$(calls calibrate)" -eq 9 ]
	[ "$(calls make-shapes)" -eq 4 ]
	[ -s build/runs/tiny/shapes/trans-t/0/last.h5 ]
	[ -s build/runs/tiny/shapes/teacher-b/best.h5 ]
	[ -s build/results/tiny/table2/table2.tex ]
	[ "$(awk -F'\t' '$3 != 0' build/results/tiny/times.tsv | wc -l)" -eq 1 ]
	before=$(wc -l < "$LOG")
	run_make table2
	[ "$status" -eq 0 ]
	[ "$(wc -l < "$LOG")" -eq "$before" ]
	# what is deleted is made again, and nothing else
	rm build/results/tiny/table2/rows/trans-s.shapes.0.tsv
	run_make table2
	[ "$(wc -l < "$LOG")" -eq "$((before + 1))" ]
	# tables 5 and 6 share its runs
	run_make table5 table6
	[ "$status" -eq 0 ]
	[ "$(calls distill-step trans-t/0)" -eq 1 ]
	[ "$(calls distill-step scratch-t/0)" -eq 1 ]
	[ "$(calls pack-images '--share')" -eq 4 ]
	[ "$(calls distill-step 'score')" -eq 0 ]
	grep -q '^| 1/1.3 = 76.9 % | [0-9.]* | [+-]' build/results/tiny/table6/table6.md
	[ "$(calls subclone-weights '--after [^ ]*probe-t-25/last.h5 --student')" -eq 2 ]
	grep -q '^| ViM-T, 25 % | [0-9.]* | [+-]' build/results/tiny/table6/table6.md
	grep -q '^| ViM-T: WSAB, subcloned (TransViM-T) | 100 | [0-9.]* | [+-]' build/results/tiny/table5/table5.md
}

@test "SEEDS=3: three students a row, one teacher" {
	run_make table2 SEEDS=3 SIZES=t
	[ "$status" -eq 0 ]
	[ "$(calls distill-step 'teacher-t/init.h5')" -eq 1 ]
	[ "$(calls distill-step 'trans-t/[012]/start.h5')" -eq 3 ]
	grep -q '^| TransPMamba-T .* ± .*(3) ' <<< "$output"
	# fewer seeds use what is there
	run_make table2 SEEDS=1 SIZES=t
	[ "$(calls distill-step 'trans-t')" -eq 3 ]
}

@test "a changed recipe remakes its rows alone, from a fresh state" {
	run_make table2 SIZES=t
	sleep 0.1
	touch pipelines/recipes/table2/trans.conf
	: > "$LOG"
	run_make table2 SIZES=t
	[ "$status" -eq 0 ]
	[ "$(calls distill-step)" -eq 2 ] # TransPMamba's and TransViM's
	[ "$(calls distill-step 'trans-t/0/start.h5.*state was absent')" -eq 1 ]
	grep -q 'begins anew' <<< "$output"
}

@test "a newer tool changes nothing, is listed by stale, and counts with REDO=1" {
	run_make table2 SIZES=t
	touch -d '+1 hour' build/bin/eval-cls
	: > "$LOG"
	run_make table2 SIZES=t
	[ ! -s "$LOG" ]
	run_make stale
	[ "$status" -eq 0 ]
	[ "$(grep -c 'rows/.*older than.*eval-cls' <<< "$output")" -eq 7 ]
	[ "$(grep -c 'distill-step' <<< "$output")" -eq 0 ]
	touch build/bin/eval-cls
	run_make table2 SIZES=t REDO=1
	[ "$status" -eq 0 ]
	[ "$(calls eval-cls)" -eq 7 ]
	[ "$(wc -l < "$LOG")" -eq 7 ]
}

@test "a run that stops early (75) keeps its state, and goes on" {
	export STAND_IN_FAIL='distill-step .*scratch-t' STAND_IN_CODE=75
	run_make table2 SIZES=t
	[ "$status" -eq 2 ]
	[ ! -e build/runs/tiny/shapes/scratch-t/0/last.h5 ]
	for file in state.h5 best.h5 metrics.tsv; do
		[ -e build/runs/tiny/shapes/scratch-t/0/$file ]
	done
	grep -qP 'scratch-t/0/last.h5\t75$' build/results/tiny/times.tsv
	unset STAND_IN_FAIL
	run_make table2 SIZES=t
	[ "$status" -eq 0 ]
	[ "$(calls distill-step 'scratch-t.*state was there')" -eq 1 ]
}

@test "a full disk (74) leaves no half row" {
	export STAND_IN_FAIL='eval-cls .*trans-t' STAND_IN_CODE=74
	run_make table2 SIZES=t
	[ "$status" -eq 2 ]
	[ ! -e build/results/tiny/table2/rows/trans-t.shapes.0.tsv ]
	[ ! -e build/results/tiny/table2/table2.md ]
	unset STAND_IN_FAIL
	run_make table2 SIZES=t
	[ "$status" -eq 0 ]
	[ "$(calls distill-step)" -eq 8 ]
}

@test "PRESET=matched is kept apart" {
	run_make table2 SIZES=t PRESET=matched
	[ "$status" -eq 0 ]
	[ "$(calls init-weights '--mlp-ratio 0')" -eq 2 ]
	[ -s build/results/tiny-matched/table2/table2.md ] && [ ! -e build/results/tiny ]
}

@test "figure3: curves of every size" {
	command -v gnuplot > /dev/null || skip "gnuplot is not installed"
	run_make figure3 SIZES=t
	[ "$status" -eq 0 ]
	[ -s build/results/tiny/figure3/figure3-t.svg ] && [ -s build/results/tiny/figure3/figure3-t.png ]
	grep -q 'valid_top1.TransPMamba' build/results/tiny/figure3/figure3-t.ends.tsv
}

@test "table5: the feature distance that is best on the validation set, fresh and subcloned" {
	export STAND_IN_BEST=feature-l2-t/0
	run_make table5 SIZES=t
	[ "$status" -eq 0 ]
	[ "$(cut -f1 build/results/tiny/table5/best-feature-t)" = l2 ]
	[[ $output == *"t: l2 (99999.00); "* ]]
	for way in '' -subcloned; do
		cmp <(sed 's/^feature-best/feature-l2/' build/results/tiny/table5/rows/feature-best$way-t.shapes.0.tsv) \
			build/results/tiny/table5/rows/feature-l2$way-t.shapes.0.tsv
	done
	grep -q '^| features, the distance best on validation | 100 | [0-9.]* | [+-]' build/results/tiny/table5/table5.md
	# a run without validation decides nothing
	printf 'event\tepoch\tvalid_top1\nepoch\t1\tnan\n' > m.tsv
	run pipelines/make/best valid_top1 a=m.tsv
	[ "$status" -eq 65 ]
	[[ $output == *"m.tsv: no number in column valid_top1"* ]]
	# means over seeds, the last number of each
	printf 'epoch\tvalid_top1\n1\t90\n2\t20\n' > a.tsv
	printf 'epoch\tvalid_top1\n1\t10\n2\t40\n' > b.tsv
	printf 'epoch\tvalid_top1\n1\t35\n2\tnan\n' > c.tsv
	[ "$(pipelines/make/best valid_top1 'x=a.tsv b.tsv' y=c.tsv)" = "$(printf 'y\t35.00')" ]
}

@test "figure1: costs of the rows of table 2, with all that was made for each" {
	command -v gnuplot > /dev/null || skip "gnuplot is not installed"
	run_make figure1 SIZES=t
	[ "$status" -eq 0 ]
	[ "$(calls show-cost)" -eq 7 ]
	[ "$(calls show-cost 'trans-t.shapes.0.tsv .*--calibration [^ ]*trans-t/0/map.h5 .*--probe [^ ]*probe-t/last.h5 .*--teacher')" -eq 1 ]
	[ "$(calls show-cost 'scratch-t.shapes.0.tsv --student [^ ]*scratch-t/0/last.h5 *(')" -eq 1 ]
	[ "$(calls show-cost '--grid')" -eq 0 ]
	grep -q '^| TransPMamba-T | arch | 1 | 100 | 100 | 200 |' build/results/tiny/figure1/figure1.md
	grep -q 'not measured' build/results/tiny/figure1/figure1-bars.svg
	[ -s build/results/tiny/figure1/figure1-bubbles.png ]
	before=$(wc -l < "$LOG")
	run_make figure1 SIZES=t
	[ "$(wc -l < "$LOG")" -eq "$before" ]
	run_make figure1 SIZES=t GRID_G_PER_KWH=400
	[ "$(calls show-cost '--grid 400')" -eq 7 ]
	[ "$(wc -l < "$LOG")" -eq "$((before + 7))" ]
	grep -q '400 g/kWh' build/results/tiny/figure1/figure1.md
}

@test "figure-weights: each layer and direction by epoch, means over seeds" {
	command -v gnuplot > /dev/null || skip "gnuplot is not installed"
	run_make figure-weights SIZES=t SEEDS=2
	[ "$status" -eq 0 ]
	grep -qP '^2\t1\t2\tlayer 1, direction 2\t0.8\t0\t1\t0\t2$' \
		build/results/tiny/figure-weights/figure-weights-t.tsv
	grep -qP '^1\t1\tlayer 1\t0.55\t1$' build/results/tiny/figure-weights/figure-weights-t.layers.tsv
	[ -s build/results/tiny/figure-weights/figure-weights-vim-t.svg ]
	[ -s build/results/tiny/figure-weights/figure-weights-t.lines.png ]
	printf 'event\tepoch\tloss\nepoch\t1\t2\n' > m.tsv
	run pipelines/make/layers out m.tsv
	[ "$status" -eq 65 ]
	[ -z "$(ls out* 2> /dev/null)" ]
}

@test "figure-length: every size once; what takes too long is a dash" {
	command -v gnuplot > /dev/null || skip "gnuplot is not installed"
	run_make figure-length LENGTH_NETWORKS='a b' LENGTH_PIXELS='32 64'
	[ "$status" -eq 0 ]
	[ "$(calls bench-step)" -eq 8 ]
	# the stand-in's time grows as the side: by half a power of the tokens
	grep -qF '| a | 64 | 64 | 0.50 | 64 | 0.50 | 7 | 7 |' <<< "$output"
	run_make figure-length LENGTH_NETWORKS='a b' LENGTH_PIXELS='32 64 96'
	[ "$(calls bench-step)" -eq 12 ]
	[ "$(wc -l < build/results/tiny/figure-length/figure-length.tsv)" -eq 7 ]
	printf '#!/bin/sh\nsleep 5\n' > build/bin/bench-step
	run_make figure-length LENGTH_NETWORKS=c LENGTH_PIXELS='32 64' LENGTH_SECONDS=0.2
	[ "$status" -eq 0 ]
	grep -qF '| c | 64 | - | - | - | - | - | - |' <<< "$output"
	printf '#!/bin/sh\nexit 65\n' > build/bin/bench-step
	run_make figure-length LENGTH_NETWORKS=d LENGTH_PIXELS=32
	[ "$status" -eq 2 ]
	[ -z "$(ls build/results/tiny/figure-length/rows/*/d.* 2> /dev/null)" ]
}

@test "sweep: one factor at a time, three seeds, shared teacher and probe, resumable" {
	command -v gnuplot > /dev/null || skip "gnuplot is not installed"
	# a few values stand for all
	skip=$(cd pipelines/recipes/sweep && ls -- *.conf | grep -v 'tau-2\|calib-joint\|score-random' | sed 's/.conf//')
	skip="SWEEP_SKIP=t-mlp2 $(tr '\n' ' ' <<< "$skip")"
	run_make sweep "$skip"
	[ "$status" -eq 0 ]
	[ "$(calls distill-step 'probe-t/state')" -eq 1 ]
	[ "$(calls distill-step 'teacher-t/init.h5')" -eq 1 ]
	[ "$(calls distill-step 'recipe pipelines/recipes/table2/trans.conf --recipe pipelines/recipes/sweep/tau-2.conf')" -eq 3 ]
	[ "$(calls calibrate 'sweep-tau-2-t')" -eq 3 ]
	[ "$(calls calibrate 'sweep-calib-joint-t')" -eq 0 ]
	[ "$(calls subclone-weights 'recipe pipelines/recipes/sweep/score-random.conf')" -eq 3 ]
	[ "$(calls init-weights '--bbar zoh')" -eq 3 ]
	[ "$(calls init-weights '--mlp-ratio 0 ')" -eq 3 ]
	grep -q '^| tau = 2 | tau | 1 | 100 | [0-9.]* ± [0-9.]* (3) | [+-]' build/results/tiny/sweep/sweep.md
	if grep 'left out' <<< "$output"; then return 1; fi
	[ -s build/results/tiny/sweep/sweep.svg ]
	before=$(wc -l < "$LOG")
	rm build/results/tiny/sweep/rows/sweep-tau-2-t.shapes.1.tsv
	run_make sweep "$skip"
	[ "$(wc -l < "$LOG")" -eq "$((before + 1))" ]
	# its default rows are those of table 2
	run_make table2 SIZES=t SEEDS=3
	[ "$(calls distill-step 'trans-t/0/start.h5')" -eq 1 ]
	run_make -n sweep
	[ "$(grep -c 'distill-step --seed' <<< "$output")" -eq "$((($(ls pipelines/recipes/sweep | wc -l) - 6) * 3 + 6))" ] # mlp2, and all but those
	[ "$(grep -c 'calib-none' <<< "$output")" -eq 0 ]
	run_make -n sweep SCALE=small SEEDS=1
	[ "$status" -eq 0 ]
	grep -q 'sweep-n_init_layers-9-t' <<< "$output"
	[ "$(grep -c 'zoh' <<< "$output")" -eq 0 ]
}

@test "ablation: ten paired seeds for two comparisons, three for the others; the sweep's runs" {
	run_make -n ablation SCALE=small CIFAR_AS=png
	[ "$status" -eq 0 ]
	for name in trans sweep-adapt_mode-uniform sweep-directions-merged; do
		[ "$(grep -c "eval-cls .*/$name-t/[0-9]/last.h5" <<< "$output")" -eq 10 ]
	done
	for name in scratch-t wsab-t sweep-score-random-t sweep-calib-joint-t sweep-calib_form-mlp2-t \
		sweep-tap-branch-t rc-t trans-t-mlp0 scratch-t-mlp0; do
		[ "$(grep -c "eval-cls .*/$name/[0-9]/last.h5" <<< "$output")" -eq 3 ]
		grep -q "^row = $name " pipelines/tables/ablation.conf
	done
	[ "$(grep -c 'subclone-weights .*--seed 2' <<< "$output")" -eq 9 ]
	grep -q 'recipe pipelines/recipes/ablation/rc.conf -o build/runs/small/cifar100/rc-t/2/start.h5' <<< "$output"
	run_make ablation SEEDS=1 ABLATION_PAIRED=2
	[ "$status" -eq 0 ]
	[ "$(calls eval-cls)" -eq 14 ] # three twice; eight once: all but rc
	grep -q '^| uniform weights of the layers | 1 | 100 | [0-9.]* ± [0-9.]* (2) | [+-]' build/results/tiny/ablation/ablation.md
}

@test "claims: what the rows bear out, by Student's t and the spread" {
	mkdir -p results/s
	cat > pipelines/tables/claims-s.conf <<- 'END'
		claim = 1 | far apart   | s/table2 | a | b
		claim = 2 | the reverse | s/table2 | b | a
		claim = 3 | close       | s/table2 | a | c
		claim = 4 | one seed    | s/table2 | a | d
		claim = 5 | not run     | s/table2 | a | e
		claim = 6 | other table | s/table2 | a | b | s/table5
	END
	head=$'name\ttop1\tbest_top1\tseed'
	printf '%s\n' "$head" a,51,52,0 a,53,53,1 a,52,55,2 b,41,40,0 b,40,41,1 b,42,42,2 c,52,52,0 c,51,51,1 \
		c,53,53,2 d,50,50,1 | tr , '\t' > results/s/table2.rows.tsv
	printf '%s\n' "$head" b,53,53,0 b,55,55,1 | tr , '\t' > results/s/table5.rows.tsv
	run pipelines/make/claims pipelines/tables/claims-s.conf results
	echo "$output"
	[ "$status" -eq 0 ]
	# differences 10, 13, 10: 11 +- 4.303 sqrt(3 / 3)
	grep -qF '| 1 | far apart | 3 | 52.00 ± 1.00 | 41.00 ± 1.00 | +11.00 | +6.70 .. +15.30 | 1.00 | holds | +12.33 |' <<< "$output"
	grep -qF '| 2 | the reverse | 3 | 41.00 ± 1.00 | 52.00 ± 1.00 | -11.00 | -15.30 .. -6.70 | 1.00 | does not hold | -12.33 |' <<< "$output"
	grep -qF '| 3 | close | 3 | 52.00 ± 1.00 | 52.00 ± 1.00 | +0.00 | -4.30 .. +4.30 | 1.00 | undecided |' <<< "$output"
	grep -qF '| 4 | one seed | 1 | 53.00 | 50.00 | +3.00 | - | - | undecided (one seed) | +3.00 |' <<< "$output"
	grep -qF '| 5 | not run | - | - | - | - | - | - | open | - |' <<< "$output"
	grep -qF '| 6 | other table | 2 | 52.00 ± 1.41 | 54.00 ± 1.41 | -2.00 | -2.00 .. -2.00 | 1.41 | does not hold | -1.50 |' <<< "$output"
	run_make claims SCALE=s
	[ "$status" -eq 2 ] # no such scale
	run pipelines/make/claims pipelines/tables/claims-tiny.conf results
	[ "$status" -eq 66 ]
	printf 'claim = 1 | x | s/table2 | a\n' > short.conf
	run pipelines/make/claims short.conf results
	[ "$status" -eq 65 ]
}

@test "every recipe of the sweep has its row in the table" {
	for conf in "$root"/pipelines/recipes/sweep/*.conf; do
		name=${conf##*/}
		grep -q "^row = sweep-${name%.conf}-t |" "$root/pipelines/tables/sweep.conf"
	done
}

@test "wrong settings are refused before anything runs" {
	for setting in SCALE=huge SEEDS=0 SEEDS=x PRESET=none; do
		run_make table2 $setting
		[ "$status" -eq 2 ]
		[[ $output == *"${setting%=*}="* ]]
	done
	[ ! -e "$LOG" ]
}

@test "missing data: the line that gets it, and 66" {
	run_make table2 SCALE=small
	[ "$status" -eq 2 ]
	[[ $output == *"Error 66"* ]]
	[[ $output == *"curl -fL https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz | tar -xz -C data/raw"* ]]
	run_make table2 SCALE=paper SIZES=t
	[ "$status" -eq 2 ]
	[[ $output == *"curl -fL -o data/raw/deit_tiny_patch16_224-a1311bcf.pth https://dl.fbaipublicfiles.com"* ]]
}

@test "the scales small and paper can be written out" {
	for scale in small small-full small-grid8 paper smoke; do
		run_make -n SCALE=$scale SEEDS=2 table2 table5 table6 figure1 figure3 figure-weights figure-length sweep \
			tune ablation
		[ "$status" -eq 0 ]
	done
	run_make -n table2 SCALE=paper
	grep -q -- '--share 0.75 -o build/data/paper/imagenet100/share-75.h5' <<< "$output"
	grep -q -- '--classes data/imagenet100.txt' <<< "$output"
	# ViM-T has no row of ImageNet-1K; both are of 24 layers, with the release's drop path
	[ "$(grep -c 'eval-cls.*/trans-vim-t/' <<< "$output")" -eq 2 ]
	[ "$(grep -c 'eval-cls.*/trans-vim-s/' <<< "$output")" -eq 3 ]
	[ "$(grep -c 'eval-cls.*/trans-vmamba/' <<< "$output")" -eq 3 ]
	grep -q -- '--arch vmamba-t ' <<< "$output"
	grep -q -- '--recipe pipelines/scales/paper-student-vmamba.conf' <<< "$output"
	grep -q -- '--arch vim-s ' <<< "$output"
	grep -q -- '--recipe pipelines/scales/paper-student-vim-t.conf' <<< "$output"
	# ImageNet-1K: the published weights as they are
	[ "$(grep -c 'distill-step --method task .*' <<< "$output")" -eq 15 ]
}

@test "small-full takes small's teachers and all of its training images" {
	run_make -n table2 SCALE=small-full
	[ "$status" -eq 0 ]
	grep -q -- '--weights build/runs/small/cifar100/teacher-t/last.h5' <<< "$output"
	! grep -q 'students.h5' <<< "$output"
	[ "$(grep -c 'distill-step --precision bf16 --method task --seed 0' <<< "$output")" -eq 2 ]
	grep -q -- '--recipe pipelines/scales/small-student.conf .*small-full-student.conf' <<< "$output"
}

@test "CIFAR-100 as a folder of PNGs a class does as well" {
	mkdir -p data/raw/cifar-100-png/{train,test}
	run_make -n table2 SCALE=small
	[ "$status" -eq 0 ]
	grep -q -- 'pack-images --format folder --store pixels data/raw/cifar-100-png/train' <<< "$output"
	! grep -q 'verify-data' <<< "$output"
}

@test "trials of the learning rate: the same for scratch and Trans, judged on held-out images" {
	run_make tune TUNE_LR='1e-3 3e-3'
	[ "$status" -eq 0 ]
	[ "$(cut -f1,2 build/results/tiny/tune/tune.tsv | tr '\t\n' ' ,')" = \
		"arm lr,scratch 1e-3,scratch 3e-3,trans 1e-3,trans 3e-3," ]
	! grep -q 'test.h5' "$LOG"
}

@test "a GPU is one command's, or LOCAL_SHARE's" {
	export LOCAL_GPUS=0 LOCAL_SHARE=2
	for name in a b c; do
		pipelines/cluster/local 1 bash -c "echo \$CUDA_VISIBLE_DEVICES > $name; until [ -e go ]; do
			sleep 0.05; done" 3>&- &
	done
	for i in {1..100}; do [ "$(ls a b c 2>/dev/null | wc -l)" -ge 2 ] && break; sleep 0.05; done
	sleep 0.5
	[ "$(ls a b c 2>/dev/null | wc -l)" -eq 2 ]
	touch go
	wait
	[ "$(cat a b c | sort -u)" = 0 ]
}

@test "record keeps a table, and refuses one that names this machine" {
	run_make record
	[ "$status" -eq 2 ]
	[[ $output == *"which table"* ]]
	run_make record TABLE=table2
	[ "$status" -eq 2 ]
	[[ $output == *"make table2"* ]]
	# a machine whose name is part of a word
	printf '#!/bin/sh\necho tran\n' > hostname
	chmod +x hostname
	PATH=$PWD:$PATH
	run_make table2 SIZES=t
	run_make record TABLE=table2
	[ "$status" -eq 0 ]
	cmp results/tiny/table2.md build/results/tiny/table2/table2.md
	[ "$(wc -l < results/tiny/table2.rows.tsv)" -eq 8 ]
	grep -q trans-t results/tiny/table2.rows.tsv
	[ "$(ls results/tiny | wc -l)" -eq 4 ]
	for word in tran "$PWD" "$HOME/"; do
		sed -i '/^# /d' build/results/tiny/table2/table2.md
		echo "# $word-1" >> build/results/tiny/table2/table2.md
		rm -rf results/tiny
		run_make record TABLE=table2
		[ "$status" -eq 2 ]
		[ ! -e results/tiny/table2.md ]
	done
}

@test "stage passes signals on and keeps the command's exit code" {
	export STAGE_TIMES=$work/times.tsv
	run pipelines/make/stage build/x/y bash -c 'exit 3'
	[ "$status" -eq 3 ]
	[ -d build/x ]
	pipelines/make/stage build/x/z bash -c 'trap "sleep 0.2; exit 75" TERM; touch ready; for i in {1..200}; do sleep 0.05; done' &
	stage=$!
	for i in {1..100}; do [ -e ready ] && break; sleep 0.05; done
	kill -TERM $stage
	code=0
	wait $stage || code=$?
	[ "$code" -eq 75 ]
	grep -qP '\tx/z\t75$' times.tsv
	STAGE_THREADS=3 run pipelines/make/stage build/x/y bash -c 'echo "threads $OMP_NUM_THREADS"'
	[[ $output == *"threads 3"* ]]
}

@test "stages that end together leave one line each below one heading" {
	export STAGE_TIMES=$work/together/times.tsv
	mkfifo gate
	for round in {1..20}; do
		rm -rf together
		for i in {1..8}; do
			pipelines/make/stage "build/x/$i" timeout 5 cat gate 2>/dev/null &
		done
		sleep 0.1
		: > gate
		wait
		[ "$(head -n 1 "$STAGE_TIMES")" = "$(printf 'seconds\ttarget\texit')" ]
		[ "$(grep -c seconds "$STAGE_TIMES")" -eq 1 ]
		[ "$(wc -l < "$STAGE_TIMES")" -eq 9 ]
		[ "$(ls together)" = times.tsv ]
	done
}

@test "the CUDA library is replaced as a whole: programs that have the old one keep it" {
	local library=build/bin/libtransmamba-cuda.so
	local build="$library CU_SRC= CUDA_C="

	mkdir -p build/release
	echo old >build/release/libtransmamba-cuda.so
	run_make $build
	[ "$status" -eq 0 ]
	exec 5<"$library"
	echo new >build/release/libtransmamba-cuda.so
	touch -d 2001-01-01 "$library"
	run_make $build
	[ "$status" -eq 0 ]
	[ "$(cat <&5)" = old ]
	[ "$(cat "$library")" = new ]
	[ "$(ls build/bin/libtransmamba*)" = "$library" ]
	exec 5<&-
}

@test "table1 counts the networks" {
	rm build/bin/init-weights
	ln -s "$bin/init-weights" build/bin
	run_make table1
	[ "$status" -eq 0 ]
	grep -qF '| PMamba-T | 4.17 | 4.10 | 4.34 | 7.73 |' <<< "$output"
	grep -qF '| PMamba-S | 13.79 | 13.70 | 14.13 | 27.97 |' <<< "$output"
	grep -qF '| PMamba-B | 49.60 | 49.50 | 50.30 | 106.29 |' <<< "$output"
	grep -qF '| ViM-T | 6.97 | 7.00 | 7.15 |' <<< "$output"
	grep -qF '| ViM-S | 25.45 | 25.50 | 25.80 |' <<< "$output"
	grep -qF "| VMamba-T (the released code's, 128 wide) | 38.38 | 40.50 | 39.30 |" <<< "$output"
	if grep warning <<< "$output"; then return 1; fi
	# teachers come whole: their MLP is their own
	grep -qF '| DeiT-T (teacher) | 5.54 | - | 5.72 | 5.54 |' <<< "$output"
	grep -qF '| DeiT-S (teacher) | 21.70 | - | 22.05 | 21.70 |' <<< "$output"
	grep -qF '| DeiT-B (teacher) | 85.88 | - | 86.57 | 85.88 |' <<< "$output"
}

@test "every row of the tables has its recipe" {
	for table in table2 table5; do # of which Table 6 shows some
		sed -n 's/^row *= *\([^ |]*\).*/\1/p' "$root/pipelines/tables/$table.conf" >rows
		[ -s rows ]
		while read -r row; do
			[[ $row != feature-best-* ]] || continue # one of those above, chosen by Make
			arm=$row
			while [ "$arm" != "${arm%-*}" ] && ! ls "$root"/pipelines/recipes/*/"$arm".conf >/dev/null 2>&1; do
				arm=${arm%-*}
			done
			ls "$root"/pipelines/recipes/*/"$arm".conf || {
				echo "$table: no recipe for $row"
				return 1
			}
		done <rows
	done
}

@test "every recipe and scale file is read by the tools as it stands" {
	"$bin/make-shapes" --split test --count 2 -o d.h5
	"$bin/init-weights" --arch pmamba-micro-t -o w.h5
	for conf in "$root"/pipelines/scales/*.conf "$root"/pipelines/recipes/*/*.conf; do
		run "$bin/eval-cls" --weights w.h5 --data d.h5 --recipe "$conf" --batch 2 \
			--set size=32 --set resize=32 --quiet
		echo "$conf: $output"
		[ "$status" -eq 0 ]
	done
}
