#!/usr/bin/env bats
# Runs of distill-step that are cut, killed or shared otherwise end with the same bytes.

load tools

setup_file()
{
	export folder
	folder=$(mktemp -d)
	cd "$folder"
	make-shapes --set cls --split train --count 72 -q -o data.h5
	make-shapes --set cls --split valid --count 40 -q -o valid.h5
	init-weights --arch pmamba-micro-t --depth 2 --seed 1 -o student.h5
	init-weights --arch deit-micro-t --depth 2 --seed 2 -o teacher.h5
	init-weights --arch deit-micro-t --depth 2 --seed 3 -o other.h5
	export OMP_WAIT_POLICY=passive
}

teardown_file()
{
	rm -rf "$folder"
}

setup()
{
	cd "$folder"
	rm -f run.* run-* whole*
}

plain='--init student.h5 --data data.h5 --batch 16 --set lr=3e-3 --no-provenance -q --seed 5'
wsab="$plain --method wsab --teacher teacher.h5"
mixing='--set mixup=0.8 --set cutmix=1 --set erase=0.5 --set augment=shift --set drop_path=0.3'

# step STATUS ARGUMENT...: expect, with the outputs of the whole run
whole()
{
	expect 0 distill-step "$@" --state whole-state.h5 -o whole.h5
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

# --- signals ---

# Starts a long run in the background; its pid in $pid.
long='--method task --steps 800 --epochs 200 --save-every 0.2 --threads 1'
start()
{
	rm -f run.h5
	distill-step $plain $long --state run-state.h5 -o run.h5 2>run.err 3>&- &
	pid=$!
}

# ended: waits; the exit status in $status
ended()
{
	status=0
	wait "$pid" || status=$?
}

until_there()
{
	for _ in {1..400}; do
		[ ! -e "$1" ] || return 0
		sleep 0.02
	done
	return 1
}

@test "killed at random moments" {
	local kills=0 want=${TM_LONG:+200}

	whole $plain $long
	while [ $kills -lt "${want:-20}" ]; do
		start
		sleep "0.$(printf %03d $((RANDOM % 600)))"
		kill -KILL "$pid" 2>/dev/null || true
		ended
		if [ "$status" -eq 137 ]; then
			kills=$((kills + 1))
		else
			[ "$status" -eq 0 ] || { echo "$status"; cat run.err; return 1; }
			cmp run.h5 whole.h5
			rm run-state.h5
		fi
	done
	start
	ended
	[ "$status" -eq 0 ]
	cmp run.h5 whole.h5
	cmp run-state.h5 whole-state.h5
	[ -z "$(find . -name '*.tmp-*')" ]
}

@test "SIGTERM and SIGUSR1 save and exit 75, also twice" {
	whole $plain $long
	for signals in TERM USR1 'TERM TERM' 'USR1 TERM TERM'; do
		rm -f run-state.h5
		start
		until_there run-state.h5
		set -- $signals
		kill -"$1" "$pid"
		# the others at once, while it ends: it may be gone before the last
		for s in "${@:2}"; do
			kill -"$s" "$pid" 2>/dev/null || true
		done
		ended
		[ "$status" -eq 75 ] || { echo "$signals: $status"; cat run.err; return 1; }
		grep -q 'state saved: run me again' run.err
		start
		ended
		[ "$status" -eq 0 ]
		cmp run.h5 whole.h5
	done
}

@test "a second SIGINT ends at once and damages nothing" {
	whole $plain $long
	start
	until_there run-state.h5
	kill -INT "$pid"
	kill -INT "$pid" 2>/dev/null || true
	ended
	[ "$status" -eq 130 ] || [ "$status" -eq 75 ]
	check-file run-state.h5
	start
	ended
	[ "$status" -eq 0 ]
	cmp run.h5 whole.h5
}

# --- numbers ---

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

# A copy that lives on (its node was taken for dead) beside the one that replaced it.
@test "a revived copy writes nothing over a newer one" {
	whole $plain $long --metrics whole.tsv
	rm -f run-state.h5
	for job in '' 'SLURM_JOB_ID=7'; do
		rm -f run-* run.h5
		# held while it still has much to do
		env $job distill-step $plain $long --metrics run.tsv --state run-state.h5 -o run.h5 \
			2> old.err 3>&- &
		old=$!
		until_there run-state.h5
		kill -STOP "$old"
		expect 0 env $job ${job:+SLURM_RESTART_COUNT=1} distill-step $plain $long \
			--metrics run.tsv --state run-state.h5 -o run.h5
		cp run.tsv ended.tsv
		kill -CONT "$old"
		status=0
		wait "$old" || status=$?
		[ "$status" -eq 74 ] || { echo "$status"; cat old.err; return 1; }
		grep -q 'run-state.h5: its owner is gone, another copy has ended: this copy writes nothing more' old.err
		cmp run.h5 whole.h5
		cmp run-state.h5 whole-state.h5
		cmp run.tsv ended.tsv
		[ "$(cut -f 1-8 run.tsv)" = "$(cut -f 1-8 whole.tsv)" ]
		[ -z "$(find . -name '*.owner*')" ]
	done
}

@test "the state belongs to the latest, but never to an earlier run of a job" {
	whole $plain $long
	rm -f run-state.h5
	SLURM_JOB_ID=7 SLURM_RESTART_COUNT=2 distill-step $plain $long --state run-state.h5 -o run.h5 \
		2> old.err 3>&- &
	old=$!
	until_there run-state.h5
	grep -q '^job 7 restart 2 host ' run-state.h5.owner
	# its own past, and a command that does not fit, leave it alone
	SLURM_JOB_ID=7 SLURM_RESTART_COUNT=1 expect 74 distill-step $plain $long --state run-state.h5 -o run.h5
	message 'taken over by job 7 restart 2 host'
	expect 65 distill-step $plain $long --seed 6 --state run-state.h5 -o run.h5
	kill -0 "$old"
	# another job takes it
	start
	status=0
	wait "$old" || status=$?
	[ "$status" -eq 74 ] || { echo "$status"; cat old.err; return 1; }
	grep -q 'taken over by job - restart 0 host' old.err
	ended
	[ "$status" -eq 0 ] || { cat run.err; return 1; }
	cmp run.h5 whole.h5
	[ -z "$(find . -name '*.owner*')" ]
}

@test "--stop-before ends before the job does" {
	whole $plain $long
	rm -f run-state.h5
	far=$(($(date +%s) + 1000))
	SLURM_JOB_END_TIME=$far expect 0 distill-step $plain $long --stop-before 10 -o run.h5
	SLURM_JOB_END_TIME=$far expect 75 distill-step $plain $long --stop-before 1000 \
		--state run-state.h5 -o run.h5
	message 'stopped after step [0-9]* of 800, state saved'
	# asked of squeue, where Slurm does not say
	mkdir -p run-bin
	printf '#!/bin/sh\n[ "$*" = "-h -j 12 -o %%e" ] && date -d "+1000 seconds" +%%FT%%T\n' > run-bin/squeue
	chmod +x run-bin/squeue
	rm run-state.h5
	SLURM_JOB_ID=12 PATH=$PWD/run-bin:$PATH expect 75 distill-step $plain $long --stop-before 1000 \
		--state run-state.h5 -o run.h5
	# no end, no effect, one line
	expect 0 distill-step ${plain/ -q/} $long --stop-before 1000 --state run-state.h5 -o run.h5
	message 'no end of a job is known: --stop-before changes nothing'
	cmp run.h5 whole.h5
	expect 64 distill-step $plain $long --stop-before soon -o run.h5
}
