#!/usr/bin/env bats
# Ends of stages that take minutes, or root, to bring about: part of `make test-full`.

load stages

# A run that lasts until it is ended.
endless="$train --init fresh-1.h5 --steps 1000000 --epochs 1000000 --state state.h5 -o out.h5"

# begin [KEY=VALUE...]: the endless run under the wrapper, until it trains
begin()
{
	FS_WAIT=5 user pipelines/cluster/slurm out.h5 "$@" -- $endless 2> said 3>&- &
	wrapper=$!
	until_true 60 test -e state.h5.owner
}

# no_result WORDS: the wrapper says how the job ended, and the run's state is whole
no_result()
{
	local status=0
	wait $wrapper || status=$?
	cat said
	[ "$status" -eq 71 ]
	grep -q "slurm: out.h5: job [0-9]* ended without a result .*$1" said
	user build/bin/check-file -q state.h5
	[ ! -e out.h5 ]
}

@test "a job over its time limit is named, its state saved" {
	begin hours=0.01
	no_result 'TIMEOUT.* hours=0.01'
}

@test "a cancelled job fails its stage, its state saved" {
	begin
	user scancel "$(cat build/cluster/out.h5.id)"
	no_result CANCELLED
}

@test "a full file system: 74, the state of before is whole, and the run goes on" {
	mkdir -p full
	mount -t tmpfs -o "size=3m,uid=$(user id -u)" tmpfs full 2> /dev/null || skip 'no right to mount a small file system'
	run="$train --init fresh-1.h5 --steps 9 --state full/state.h5 -o full/out.h5"
	expect 75 $run --stop-after 4
	cp full/state.h5 before.h5
	user dd if=/dev/zero of=full/filler bs=1k 2> /dev/null || true
	FS_WAIT=5 expect 74 pipelines/cluster/slurm full/out.h5 -- $run
	[[ $output == *'No space left on device'* ]]
	cmp full/state.h5 before.h5
	rm full/filler
	expect 0 pipelines/cluster/slurm full/out.h5 -- $run
	$train --init fresh-1.h5 --steps 9 -o local.h5
	cmp local.h5 full/out.h5
	umount full
}
