# What stages.t and ends.t share: a tree with the tools, weights and data, a Slurm, and waiting for events.
# shellcheck shell=bash
load events

setup_file()
{
	PATH=$PATH:/usr/sbin
	command -v slurmctld slurmd munged > /dev/null ||
		skip 'no munge, slurmctld, slurmd, slurm-client: make deps-cluster installs them'
	export work
	work=$(mktemp -d)
	"$BATS_TEST_DIRNAME/tree" "$work"
	mkdir "$work/slurm"
	[ "$(id -u)" -ne 0 ] || chown -R nobody "$work"
	export SLURM_CONF=$work/slurm/slurm.conf
	cd "$work"
	user tests/cluster/slurm up "$work/slurm"
	user tests/cluster/release 3>&- &
	for seed in 1 2; do
		user build/bin/init-weights --arch pmamba-micro-t --depth 2 --seed $seed -q -o fresh-$seed.h5
	done
	user build/bin/make-shapes --set cls --split train --count 72 -q -o data.h5
}

teardown_file()
{
	if [ -d "$work" ]; then
		cd "$work"
		user tests/cluster/slurm down "$work/slurm"
		cd /
		rm -rf "$work"
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

all_ended()
{
	[ -z "$(squeue -h)" ]
}

train='build/bin/distill-step --data data.h5 --batch 16 --method task --seed 3 --no-provenance -q'
stage='pipelines/cluster/stage.sbatch'
