#!/usr/bin/env bats
# make plan-TABLE: every stage once, hours by the arithmetic that it shows, and nothing guessed.

load tools

setup()
{
	root=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	work=$(mktemp -d)
	cd "$root"
	find . -path ./build -prune -o -name config.mk -o -name '*.mk' -print0 | xargs -0 cp --parents -t "$work"
	cp -r Makefile VERSION pipelines "$work"
	mkdir -p "$work/data" "$work/build/bin" "$work/results/gpu"
	cp data/{SOURCES,SIZES,imagenet100.txt,imagenet1k.txt} "$work/data"
	cd "$work"
	ln -s "$(realpath "$TM_BIN")"/* build/bin
	unset MAKEFLAGS MFLAGS MAKELEVEL CONFIG PLAN_GPU
	printf 'work\tarch\tteacher\tbatch\tprecision\tdevice\tms\timages_per_s\tjoules_per_image\tmemory_mib\n' \
		>results/gpu/h200.tsv
}

teardown()
{
	cd /
	rm -rf "$work"
}

# stages SETTING...: the commands, as make prints them
stages()
{
	make -s -n -B table2 CLUSTER=local NO_DEPS=1 "$@"
}

plan()
{
	stages "$@" >commands
	expect 0 pipelines/make/plan table2 build/bin data/raw <commands
}

# field NAME-OF-STAGE NUMBER
field()
{
	awk -F'\t' -v stage="$1" -v n="$2" '$1 == stage { print $n }' <<<"$output"
}

rate()
{
	printf '%s\t%s\t%s\t%s\t%s\tcuda:0 card\t1\t%s\t-\t%s\n' "$@" >>results/gpu/h200.tsv
}

@test "without rates every stage is there once, and says that none was measured" {
	plan SCALE=tiny SIZES=t
	[ "$(grep -c 'make/stage' commands)" -eq "$(($(wc -l <<<"$output") - 3))" ]
	[ "$(cut -f 1 <<<"$output" | sort | uniq -d | grep -c .)" -eq 0 ]
	message '^table2: [0-9]* stages; 0.0 hours of those with measured rates, [0-9]* without; '
	[ "$(field runs/tiny/shapes/scratch-t/0/last.h5 2)" = - ]
	[[ "$(field runs/tiny/shapes/scratch-t/0/last.h5 6)" == \
		"no measured rate of pmamba-micro-t with MLP 4, task, fp32: 20 epochs x 3000 images" ]]
	# what a training needs, by its own plan
	need=$(bench-step --device cpu --dry-run --arch pmamba-micro-t --mlp-ratio 4 --recipe pipelines/scales/tiny.conf \
		--recipe pipelines/scales/tiny-student.conf --recipe pipelines/recipes/table2/scratch.conf |
		awk '$1 == "all" { print $2 }')
	[ "$(field runs/tiny/shapes/scratch-t/0/last.h5 4)" = "$need" ]
}

@test "hours are images over the measured rate, validation and evaluation too" {
	rate 'PMamba alone, MLP 4' pmamba-micro-t - 64 fp32 5000 700
	rate 'PMamba forward, MLP 4' pmamba-micro-t - 64 fp32 20000 99
	rate 'PMamba alone' pmamba-micro-t - 64 fp32 1 1
	rate 'PMamba alone, MLP 4' pmamba-micro-t - 64 bf16 1 1
	plan SCALE=tiny SIZES=t
	hours=$(awk 'BEGIN { printf "%.3f", (20 * 3000 / 5000 + 20 * 2000 / 20000) / 3600 }')
	[ "$(field runs/tiny/shapes/scratch-t/0/last.h5 2)" = "$hours" ]
	[ "$(field runs/tiny/shapes/scratch-t/0/last.h5 3)" = 700 ]
	[[ "$(field runs/tiny/shapes/scratch-t/0/last.h5 6)" == "20 x 3000 images / 5000 images/s (batch 64, fp32, \
cuda:0 card, results/gpu/h200.tsv) + 20 x 2000 / 20000 images/s"* ]]
	# weights, best weights, and the state with its two moments
	n=$(init-weights --list --classes 48 --mlp-ratio 4 | awk '$1 == "pmamba-micro-t" { print $2 }')
	[ "$(field runs/tiny/shapes/scratch-t/0/last.h5 5)" = "$(awk -v n=$n 'BEGIN { printf "%.0f", n * 20 / 1e6 }')" ]
	[ "$(field results/tiny/table2/rows/scratch-t.shapes.0.tsv 2)" = 0.000 ]
	[[ "$(field runs/tiny/shapes/trans-t/0/last.h5 6)" == *"no measured rate of pmamba-micro-t with MLP 4 taught by deit-micro-t, wsab"* ]]
}

@test "the paper's scale: published counts, shares, at most so many where only that is known" {
	rate 'T, wsab, MLP 4' pmamba-t deit-t 256 fp32 1000 15132
	rate 'T forward, MLP 4' pmamba-t - 256 fp32 10000 1
	rate 'DeiT-T alone' deit-t - 256 fp32 18000 4433
	rate 'DeiT-T forward' deit-t - 256 fp32 60000 299
	printf 'what\tunit\tours\npacking an archive, decode\tMB/s\t50\n' >results/archive.tsv
	printf 'what\tunit\tours\nJPEG 500 x 375 to augmented 224 tensor, a core\timages/s\t566\n' >results/bench.tsv
	printf 'init-weights pmamba-t\t1.5\n' >results/stages.tsv
	sed -i 's/ --dry-run --arch/ --no-such-option/' pipelines/make/plan.awk # memory takes long: not here
	plan SCALE=paper SIZES=t
	[[ "$(field runs/paper/imagenet/trans-t/0/last.h5 6)" == "300 x 960875 images / 1000 images/s"* ]]
	[ "$(field runs/paper/imagenet/trans-t/0/last.h5 2)" = \
		"$(awk 'BEGIN { printf "%.3f", (300 * 960875 / 1000 + 300 * 50000 / 10000) / 3600 }')" ]
	[[ "$(field runs/paper/imagenet100/trans-t/0/last.h5 6)" == "300 x at most 97500 images"* ]]
	[[ "$(field runs/paper/cifar100/trans-t/0/last.h5 6)" == "300 x 37500 images"* ]]
	# a GPU faster than 16 cores decode waits for them
	[[ "$(field runs/paper/imagenet100/teacher-t/last.h5 6)" == "300 x at most 130000 images / 9056 images/s of input"* ]]
	[ "$(field data/paper/imagenet/train.h5 2)" = "$(awk 'BEGIN { printf "%.3f", 147897.477 / 50 / 3600 }')" ]
	[ "$(field data/paper/imagenet/train.h5 5)" = 295795 ]
	[ "$(field data/paper/imagenet100/test.h5 5)" = 1349 ]
	[ "$(field runs/paper/cifar100/fresh-t/0.h5 6)" = '1.5 s (results/stages.tsv)' ]
	# the other direction: what is yet to be measured, as bench-step takes it
	PLAN_RATES=1 expect 0 pipelines/make/plan table2 build/bin data/raw <commands
	message $'^vim-t, wsab, MLP 4\t--arch vim-t --classes 100 --mlp-ratio 4 --teacher deit-t --recipe .*trans.conf --set method=wsab --precision fp32$'
	[ "$(grep -c 'pmamba-t, wsab' <<<"$output")" -eq 0 ]
	[ "$(sort <<<"$output" | uniq -d | grep -c .)" -eq 0 ]
}

@test "rates prints rows as the plan reads them" {
	printf 'micro alone, MLP 4\t--arch pmamba-micro-t --mlp-ratio 4 --set method=task --set batch=8 --precision fp32\n' |
		DEVICE=cpu STEPS=1 pipelines/make/rates build/bin >results/gpu/rates-here.tsv
	[ "$(wc -l <results/gpu/rates-here.tsv)" -eq 2 ]
	plan SCALE=tiny SIZES=t
	[[ "$(field runs/tiny/shapes/subcloned-t/0/last.h5 6)" == *"no measured rate of pmamba-micro-t with MLP 4, forward, fp32"* ]]
	[ "$(field runs/tiny/shapes/subcloned-t/0/last.h5 3)" -gt 0 ]
}
