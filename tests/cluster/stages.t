#!/usr/bin/env bats
# Single stages under a Slurm of its own (tests/cluster/slurm): what stage.sbatch, the wrapper of
# CLUSTER=slurm and `make submit` do at each kind of end. Root gives itself up first, as pipeline.t does.

load stages

@test "a job array: one stage for several seeds" {
	batch 0 --array=1-2 $stage \
		$train --init fresh-%a.h5 --steps 6 -o out-%a.h5
	for seed in 1 2; do
		$train --init fresh-$seed.h5 --steps 6 -o local.h5
		cmp local.h5 out-$seed.h5
		rm -f local.h5
	done
}

@test "stopped early: back into the queue until it is done" {
	batch 0 $stage \
		$train --init fresh-1.h5 --steps 9 --stop-after 4 --state state.h5 -o out.h5
	$train --init fresh-1.h5 --steps 9 -o local.h5
	cmp local.h5 out.h5
	[ "$(grep -c 'back into the queue' said)" -eq 2 ]
}

@test "no progress in two restarts: 70" {
	batch 70 $stage bash -c 'exit 75'
	[ "$(grep -c 'back into the queue' said)" -eq 3 ]
	[ "$(grep -c 'restarts, on' said)" -eq 3 ]
	grep -q 'no progress in two restarts, still at step none: ask for more time or memory' said
}

@test "other exit codes end the job" {
	batch 65 $stage $train --init data.h5 --steps 6 -o out.h5
	[ "$(grep -c 'restarts, on' said)" -eq 1 ]
}

@test "an old copy of a job that lives on says nothing of how it ended" {
	mkdir -p build/cluster
	SLURM_JOB_ID=77 SLURM_RESTART_COUNT=0 $stage --record build/cluster/x bash -c \
		'touch out.begun; until [ -e out.go ]; do sleep 0.05; done; echo old; exit 75' > said 2>&1 3>&- &
	until_true 20 test -e out.begun
	SLURM_JOB_ID=77 SLURM_RESTART_COUNT=1 $stage --record build/cluster/x echo new
	[ "$(cat build/cluster/x.done build/cluster/x.out)" = $'0\nnew' ]
	touch out.go
	status=0
	wait $! || status=$?
	[ "$status" -eq 74 ]
	grep -q 'another copy of this job has begun' said
	[ "$(cat build/cluster/x.done build/cluster/x.out)" = $'0\nnew' ]
}

@test "the wrapper: output, exit code, what was said" {
	expect 0 pipelines/cluster/slurm out.txt memory=300 -- bash -c 'echo result; echo words >&2; echo x > out.txt'
	[ "$output" = result ]
	expect 3 pipelines/cluster/slurm out.txt memory=300 -- bash -c 'echo what is wrong >&2; exit 3'
	[[ $output == *'what is wrong'* ]]
	[[ $output == *'slurm: out.txt: job '*': exit 3; more in build/cluster/out.txt.log'* ]]
}

@test "the wrapper: an output that does not show" {
	FS_WAIT=1 expect 71 pipelines/cluster/slurm out.h5 memory=300 -- echo out.h5
	[[ $output == *'its output does not show here after 1 s: FS_WAIT='* ]]
}

@test "the wrapper: settings that Slurm refuses are named" {
	SITE_PARTITION=none expect 64 pipelines/cluster/slurm out.txt memory=300 -- true
	[[ $output == 'slurm: out.txt: sbatch: '*'SITE_PARTITION=none, set it in pipelines/cluster/site.mk' ]]
	SITE_PARTITION=members SITE_ACCOUNT=stranger expect 64 pipelines/cluster/slurm out.txt memory=300 -- true
	[[ $output == 'slurm: out.txt: sbatch: '*'SITE_ACCOUNT=stranger, set it in pipelines/cluster/site.mk' ]]
	expect 64 pipelines/cluster/slurm out.txt memory=300 cores=64 -- true
	[[ $output == *'cores=64 memory=300 gpus=0, set as WANTS_... in pipelines/scales' ]]
}

@test "the wrapper: memory is what the tool plans" {
	expect 0 pipelines/cluster/slurm out.h5 -- $train --init fresh-1.h5 --steps 2 -o out.h5
	planned=$($train --init fresh-1.h5 --steps 2 --dry-run | awk '$1 == "all" { printf "%d", $2 * 1.1 + 256 }')
	grep -q . out.h5
	[ "$planned" -gt 256 ] && [ "$planned" -lt 400 ]
}

@test "the wrapper: a job that is taken away fails its stage" {
	user pipelines/cluster/slurm out.txt memory=300 -- sleep 100 2> said 3>&- &
	until_true 60 grep -q 'restarts, on' build/cluster/out.txt.log
	id=$(head -n 1 build/cluster/out.txt.id)
	user scancel --signal=KILL --full "$id"
	user scancel "$id"
	status=0
	FS_WAIT=1 wait $! || status=$?
	[ "$status" -ne 0 ]
	grep -q 'slurm: out.txt: job ' said
}

@test "a signal to the wrapper ends the job, its state saved" {
	user pipelines/cluster/slurm out.h5 -- $train --init fresh-1.h5 --steps 100000 --epochs 100000 \
		--state state.h5 -o out.h5 2> said 3>&- &
	until_true 60 test -e state.h5.owner
	pkill -TERM -u nobody -f 'pipelines/cluster/slurm out.h5' || pkill -TERM -f 'pipelines/cluster/slurm out.h5'
	status=0
	wait $! || status=$?
	[ "$status" -eq 75 ] || { cat said; return 1; }
	[ -s state.h5 ] && [ ! -e out.h5 ]
	until_true 60 all_ended
}

@test "within an allocation stages are steps of it, started again when they stop early" {
	expect 0 salloc -Q -n 2 pipelines/cluster/slurm out.h5 memory=300 -- \
		$train --init fresh-1.h5 --steps 9 --stop-after 4 --state state.h5 -o out.h5
	$train --init fresh-1.h5 --steps 9 -o local.h5
	cmp local.h5 out.h5
	[ "$(grep -c 'started again' <<< "$output")" -eq 2 ]
	expect 70 salloc -Q -n 2 pipelines/cluster/slurm out.txt memory=300 -- bash -c 'exit 75'
	[[ $output == *'no progress in two restarts'* ]]
}

submit='make NO_DEPS=1 submit SCALE=smoke SHAPES_TRAIN=800 SHAPES_STUDENTS=400 SHAPES_VALID=100 STOP_BEFORE= SITE_MEMORY=500'
probe=build/runs/smoke/shapes/probe-t/last.h5

@test "make submit: prints, submits, waits for what is in the queue, goes on after a failure" {
	expect 0 $submit TABLE=$probe
	[ "$(grep -c ^sbatch <<< "$output")" -eq 9 ]
	[[ $output == *'--job-name=runs.smoke.shapes.probe-t.last.h5 '*' --dependency=afterok:runs.smoke.shapes.teacher-t.last.h5:data.tiny.shapes.students.h5 '* ]]
	[[ $output == *'submit: 9 jobs; GO=1 submits them' ]]
	[ ! -e build/data ] && [ -z "$(squeue -h)" ]

	# what this recipe is told makes it fail: those that need it leave the queue
	expect 0 $submit TABLE=$probe GO=1 TEACHER_SHAPE='--patch 7'
	until_true 200 all_ended
	[ -e build/data/tiny/shapes/train.h5 ] && [ -z "$(find build/runs -name '*.h5')" ]

	SITE_OPTIONS=--hold expect 0 $submit TABLE=$probe GO=1
	[[ $output == *"submit: "[1-9]*" jobs; $probe is the last, then make "* ]]
	count=$(squeue -h | wc -l)
	expect 0 $submit TABLE=$probe GO=1
	[ "$(grep -c 'already in the queue as job' <<< "$output")" -eq "$count" ]
	user scontrol release "$(squeue -h -o %A | paste -sd,)"
	until_true 300 all_ended
	expect 0 make NO_DEPS=1 -q SCALE=smoke $probe
	expect 0 $submit TABLE=$probe GO=1
	[[ $output == *'nothing is to be done'* ]]
}

@test "make -n CLUSTER=slurm needs no Slurm, make says in a line that it does" {
	mkdir -p bin
	ln -sf /usr/bin/* bin
	rm bin/{sbatch,squeue,srun,scancel,sinfo}
	PATH=$work/bin expect 0 make -n NO_DEPS=1 CLUSTER=slurm table2 SCALE=smoke
	[[ $output == *'pipelines/cluster/slurm build/runs/smoke/shapes/teacher-b/last.h5 cores=1'* ]]
	PATH=$work/bin expect 2 make NO_DEPS=1 CLUSTER=slurm table2 SCALE=smoke
	[[ ${lines[0]} == *'sbatch is not found: run make where Slurm is, or without CLUSTER=slurm'* ]]
	[ "${#lines[@]}" -eq 1 ]
	PATH=$work/bin expect 2 make NO_DEPS=1 submit TABLE=table2 GO=1
	[[ ${lines[0]} == 'submit: sbatch is not found: '* ]]
}
