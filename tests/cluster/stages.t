#!/usr/bin/env bats
# Single stages under a Slurm of its own (tests/cluster/slurm): what stage.sbatch and the wrapper of
# CLUSTER=slurm do at each kind of end. Root gives itself up first, as pipeline.t does.

setup_file()
{
	PATH=$PATH:/usr/sbin
	command -v slurmctld slurmd munged > /dev/null ||
		skip 'no munge, slurmctld, slurmd, slurm-client: make deps-cluster installs them'
	export root work
	root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	work=$(mktemp -d)
	mkdir -p "$work/data" "$work/build/bin" "$work/slurm"
	cd "$root"
	find . -path ./build -prune -o ! -name config.mk -name '*.mk' -print0 | xargs -0 cp --parents -t "$work"
	cp -r Makefile VERSION pipelines "$work"
	cp data/{SOURCES,verify-data,imagenet100.txt,imagenet1k.txt} "$work/data"
	ln -s "$root"/build/bin/* "$work/build/bin"
	[ "$(id -u)" -ne 0 ] || chown -R nobody "$work"
	export SLURM_CONF=$work/slurm/slurm.conf
	user "$root/tests/cluster/slurm" up "$work/slurm"
	user "$root/tests/cluster/release" 3>&- &
	cd "$work"
	for seed in 1 2; do
		user build/bin/init-weights --arch pmamba-micro-t --depth 2 --seed $seed -q -o fresh-$seed.h5
	done
	user build/bin/make-shapes --set cls --split train --count 72 -q -o data.h5
}

teardown_file()
{
	cd /
	[ ! -d "$work" ] || user "$root/tests/cluster/slurm" down "$work/slurm"
	rm -rf "$work"
}

user()
{
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups env HOME=/nonexistent "$@"
	else
		"$@"
	fi
}

setup()
{
	cd "$work"
	rm -rf out* state* said build/cluster
}

# expect STATUS COMMAND...: as the user
expect()
{
	local want=$1
	shift
	run user timeout 200 "$@"
	if [ "$status" -ne "$want" ]; then
		echo "exit $status, not $want: $*"
		echo "$output"
		cat build/cluster/*.log said "$work/slurm/log/slurmctld" 2>/dev/null | tail -50
		return 1
	fi
}

# until_true SECONDS COMMAND...: waits for an event
until_true()
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# batch WANT ARGUMENT...: a job of stage.sbatch, to its end. (sbatch --wait may take a job that is put
# back just then for ended.)
batch()
{
	local want=$1 id
	shift
	id=$(user sbatch --parsable --mem=500 -o said "$@")
	until_true 200 ended "$id"
	run scontrol -o show job "$id"
	if [ "$(grep -o ' ExitCode=[0-9]*' <<< "$output" | sort -u)" != " ExitCode=$want" ]; then
		echo "$output"
		cat said
		return 1
	fi
}
ended()
{
	[ -z "$(squeue -h -j "$1" -t PENDING,RUNNING,COMPLETING,REQUEUED 2> /dev/null)" ]
}

train='build/bin/distill-step --data data.h5 --batch 16 --method task --seed 3 --no-provenance -q'
stage='pipelines/cluster/stage.sbatch'

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
	until_true 60 test -z "$(squeue -h)"
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

@test "make -n CLUSTER=slurm needs no Slurm, make says in a line that it does" {
	mkdir -p bin
	ln -sf /usr/bin/* bin
	rm bin/{sbatch,squeue,srun,scancel,sinfo}
	PATH=$work/bin expect 0 make -n NO_DEPS=1 CLUSTER=slurm table2 SCALE=smoke
	[[ $output == *'pipelines/cluster/slurm build/runs/smoke/shapes/teacher-t/last.h5 cores=1'* ]]
	PATH=$work/bin expect 2 make NO_DEPS=1 CLUSTER=slurm table2 SCALE=smoke
	[[ ${lines[0]} == *'sbatch is not found: run make where Slurm is, or without CLUSTER=slurm'* ]]
	[ "${#lines[@]}" -eq 1 ]
}
