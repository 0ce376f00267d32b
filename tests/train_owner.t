#!/usr/bin/env bats
# Two copies of one run of distill-step, and runs in jobs of a cluster.

load train_runs

# The run that nothing ends is the same for all.
setup_file()
{
	make_runs pmamba-micro-t deit-micro-t
	long_run
	whole $plain $long
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
	rm -rf run.* run-*
}

# A copy that lives on (its node was taken for dead) beside the one that replaced it.
@test "a revived copy writes nothing over a newer one" {
	expect 0 distill-step $plain $long --metrics told.tsv --state told-state.h5 -o told.h5
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
		cmp run-state.h5 told-state.h5
		cmp run.tsv ended.tsv
		[ "$(cut -f 1-8 run.tsv)" = "$(cut -f 1-8 told.tsv)" ]
		[ -z "$(find . -name '*.owner*')" ]
	done
}

@test "the state belongs to the latest, but never to an earlier run of a job" {
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
	rm -f run-state.h5
	far=$(($(date +%s) + 1000))
	SLURM_JOB_END_TIME=$far expect 0 distill-step $plain $long --stop-before 10 -o run.h5
	SLURM_JOB_END_TIME=$far expect 75 distill-step $plain $long --stop-before 1000 \
		--state run-state.h5 -o run.h5
	message "stopped after step [0-9]* of $steps, state saved"
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
