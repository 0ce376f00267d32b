#!/usr/bin/env bats
# Runs of distill-step that are cut or shared otherwise end with the same bytes.

load train_runs

setup_file()
{
	make_runs pmamba-micro-t deit-micro-t
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
	rm -f run.* run-* whole*
}

# cut_at N ARGUMENT...: a run that is stopped every N steps
cut_at()
{
	local n=$1 turns=0
	shift
	rm -f run-*
	while run timeout 60 distill-step "$@" --stop-after "$n" --state run-state.h5 -o run.h5 &&
		[ "$status" -eq 75 ]; do
		[ ! -e run.h5 ] && [ $((turns += 1)) -lt 30 ]
	done
	[ "$status" -eq 0 ] || { echo "$status: $output"; return 1; }
	cmp run.h5 whole.h5
	cmp run-state.h5 whole-state.h5
	rm run.h5
}

same_at_cuts()
{
	whole "$@"
	for n in 1 5; do
		cut_at "$n" "$@"
	done
}

@test "adamw, cut anywhere" {
	same_at_cuts $plain --method task --epochs 2
}

@test "sgd, cut anywhere" {
	same_at_cuts $plain --method task --steps 10 --epochs 5 --optimizer sgd
}

@test "wsab with an online teacher" {
	same_at_cuts $wsab --epochs 2
}

@test "wsab with mixing, erasing, drop path and shards" {
	same_at_cuts $wsab --epochs 2 $mixing --shards 4
}

@test "repeated augmentation, a share of the data" {
	same_at_cuts $plain --method task --epochs 3 --set repeat_aug=3 --set limit=50 --set first=7 \
		--set augment=crop --set randaugment=rand-m9-mstd0.5-inc1
}

@test "wsab with features" {
	expect 0 extract-teacher-features --teacher teacher.h5 --data data.h5 --seed 5 --set epochs=2 \
		--set augment=shift --set batch=16 --no-provenance -q -o features.h5
	same_at_cuts $plain --method wsab --features features.h5 --epochs 2 --set augment=shift
}

@test "the best weights and the metrics" {
	local valid='--valid valid.h5 --valid-every 1'
	numbers() { cut -f1-8,11- "$1"; }

	whole $plain --method task --epochs 3 $valid --best whole-best.h5 --metrics whole.tsv
	[ "$(wc -l <whole.tsv)" -eq 16 ]
	while run distill-step $plain --method task --epochs 3 $valid --best run-best.h5 \
		--metrics run.tsv --stop-after 3 --state run-state.h5 -o run.h5 &&
		[ "$status" -eq 75 ]; do :; done
	[ "$status" -eq 0 ]
	cmp run.h5 whole.h5
	cmp run-best.h5 whole-best.h5
	diff <(numbers run.tsv) <(numbers whole.tsv)
}

@test "threads and workers do not change the bytes" {
	whole $wsab --epochs 2 $mixing --threads 1 --workers 0
	for n in 2,1 3,3; do
		rm -f run-*
		expect 0 distill-step $wsab --epochs 2 $mixing --threads "${n%,*}" \
			--workers "${n#*,}" --state run-state.h5 -o run.h5
		cmp run.h5 whole.h5
		cmp run-state.h5 whole-state.h5
	done
}

@test "a finished state writes its weights again" {
	whole $plain --method task --epochs 1
	mv whole.h5 before.h5
	whole $plain --method task --epochs 1
	cmp whole.h5 before.h5
}

@test "a state of another run is refused with what differs" {
	expect 75 distill-step $wsab --epochs 2 --stop-after 2 --state run-state.h5 -o run.h5
	cp run-state.h5 kept.h5
	refused()
	{
		local words=$1
		shift
		expect 65 distill-step "$@" --state run-state.h5 -o run.h5
		message "$words"
		message "run-state.h5"
		cmp run-state.h5 kept.h5
	}
	refused 'seed 5.* 6' $wsab --epochs 2 --seed 6
	refused 'setting lr ' $wsab --epochs 2 --set lr=2e-3
	refused 'setting shards ' $wsab --epochs 2 --shards 2
	refused 'setting epochs ' $wsab --epochs 3
	refused 'setting method ' $plain --method task --epochs 2
	refused 'another file as --teacher' $wsab --teacher other.h5 --epochs 2
	make-shapes --set cls --split train --count 72 --seed 9 -q -o data2.h5
	refused 'another file as --data' ${wsab/data.h5/data2.h5} --epochs 2
	init-weights --arch pmamba-micro-t --depth 2 --seed 7 -o student2.h5
	refused 'another file as --init' ${wsab/student.h5/student2.h5} --epochs 2
	refused 'another file as --valid' $wsab --epochs 2 --valid valid.h5
	make-shapes --set cls --split train --count 40 -q -o data3.h5
	refused 'steps an epoch' ${wsab/data.h5/data3.h5} --epochs 2
	expect 65 distill-step $wsab --epochs 2 --state student.h5 -o run.h5
}

@test "a device is taken as asked for, or refused" {
	run distill-step ${plain/-q/} --method task --steps 1 --device auto -o run.h5
	[ "$status" -eq 0 ]
	[[ $output == *"device c"* ]]
	TRANSMAMBA_CUDA=/none expect 69 distill-step $plain --method task --device cuda -o run-c.h5
	message 'make cuda'
	expect 69 distill-step $plain --method task --device cpu --precision bf16 -o run-c.h5
	[ ! -e run-c.h5 ]
}

@test "arguments that contradict each other" {
	for pair in '--state run.h5' '--metrics run.h5' '--valid valid.h5 --best run.h5'; do
		expect 64 distill-step $plain --method task $pair -o run.h5
		message 'run.h5 is given for two outputs'
	done
	expect 64 distill-step $plain --method task --state - -o run.h5
	expect 64 distill-step $plain --method task --valid valid.h5 --best - -o run.h5
	expect 66 distill-step $plain --method task --state /dev/full -o run.h5
	expect 64 distill-step $plain --method task --best run-b.h5 -o run.h5
	expect 64 distill-step $wsab --features teacher.h5 -o run.h5
	expect 64 distill-step $plain --method wsab -o run.h5
	expect 64 distill-step $plain --method task --set size=64 -o run.h5
	message 'size = 64: the network takes views of 32 pixels'
	expect 64 distill-step $plain --method task --shards 3 -o run.h5
	expect 64 distill-step $plain --method task --save-every never -o run.h5
	expect 65 distill-step $plain --method task --batch 512 -o run.h5
	message 'data.h5: 72 images are less than a batch of 512'
	[ ! -e run.h5 ]
}

@test "numbers that fail leave weights and state as they were" {
	expect 75 distill-step $plain --method task --epochs 3 --stop-after 5 --state run-state.h5 \
		-o run.h5
	cp run-state.h5 kept.h5
	rm -f run.h5
	expect 3 distill-step $plain --method task --epochs 3 --set lr=1000 --set clip=0 \
		--set optimizer=sgd --set schedule=constant -o run.h5 --state run-state2.h5
	message '^distill-step: step [0-9]* (epoch 1): '
	[ ! -e run.h5 ]
	cmp run-state.h5 kept.h5
}
