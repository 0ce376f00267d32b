#!/bin/bash
# `make CLUSTER=slurm table2` against a Slurm of its own (tests/cluster/slurm): two jobs preempted, a
# node lost with its job, a node's daemon lost while its job lives on. What comes out equals a local
# run, byte for byte. Run by `make test-cluster`; nothing here needs root, and root gives itself up.
# SIZES and SCALE as in make (all sizes at smoke).
set -uo pipefail
# shellcheck source=tests/cluster/events.bash
. "$(dirname "$0")/events.bash"
if ! PATH=$PATH:/usr/sbin command -v slurmctld slurmd munged >/dev/null; then
	echo '1..0 # SKIP no munge, slurmctld, slurmd, slurm-client: make deps-cluster installs them'
	exit 0
fi
if [ -z "${CLUSTER_WORK:-}" ]; then
	CLUSTER_WORK=$(mktemp -d)
	"$(dirname "$0")/tree" "$CLUSTER_WORK/tree" || exit
	[ "$(id -u)" -ne 0 ] || chown -R nobody "$CLUSTER_WORK"
	cd "$CLUSTER_WORK" || exit
	user env CLUSTER_WORK="$CLUSTER_WORK" tree/tests/cluster/pipeline.t
	exit
fi
work=$CLUSTER_WORK root=$CLUSTER_WORK/tree
export SLURM_CONF=$work/slurm/slurm.conf SCALE=${SCALE:-smoke}
tests=0 failed=0
ok()
{
	local status=$?
	((++tests))
	[ $status = 0 ] || { ((++failed)); printf 'not '; }
	echo "ok $tests - $1"
}
finish()
{
	cd /
	"$root/tests/cluster/slurm" down "$work/slurm"
	pkill -KILL -u "$(id -u)" -f "$work" 2>/dev/null
	rm -rf "$work"
}

# A tree of makefiles with the tools, which leave provenance out: it names hosts and times.
tree()
{
	local tool
	mkdir -p "$1/build/bin"
	cp -r "$root"/{Makefile,VERSION,data,lib,pipelines,tests} "$1"
	for tool in "$root"/build/bin/*; do
		case ${tool##*/} in
		make-shapes | pack-images | init-weights | subclone-weights | calibrate | distill-step | eval-cls)
			# shellcheck disable=SC2016
			printf '#!/bin/sh\nexec %s "$@" --no-provenance\n' "$tool" >"$1/build/bin/${tool##*/}"
			;;
		*) printf '#!/bin/sh\nexec %s "$@"\n' "$tool" >"$1/build/bin/${tool##*/}" ;;
		esac
		chmod +x "$1/build/bin/${tool##*/}"
	done
	touch -d 2001-01-01 "$1"/build/bin/*
}

state_of()
{
	echo "$work/b/build/${1//.//}/state.h5"
}
# A stage that trains, as "job node stage"; not the one given.
training()
{
	local job node name
	squeue -h -t RUNNING -p normal -o '%A %N %j' 2>/dev/null | while read -r job node name; do
		name=${name%.last.h5}
		if [ "$name" != "$1" ] && [ -e "$(state_of "$name").owner" ]; then
			echo "$job $node $name"
			break
		fi
	done
}
# under_way BEFORE: sets job, node and name to those of a stage that trains, not BEFORE
under_way()
{
	read -r job node name < <(training "$1")
}

# DeiT's and PlainMamba's
wanted=(SCALE="$SCALE" STUDENT_vim-t= STUDENT_vim-s= STUDENT_vmamba=)
trap finish EXIT
mkdir -p "$work/slurm"
tree "$work/a"
tree "$work/b"
(cd "$work/a" && make -j2 NO_DEPS=1 table2 "${wanted[@]}") >"$work/a.log" 2>&1
ok 'a local run'
"$root/tests/cluster/slurm" up "$work/slurm"
ok 'Slurm: two nodes are idle'
"$root/tests/cluster/release" &
(cd "$work/b" && make -j20 NO_DEPS=1 CLUSTER=slurm STOP_BEFORE=5 table2 "${wanted[@]}") >"$work/b.log" 2>&1 &
pipeline=$!

# preempt BEFORE: an urgent job takes the whole node of a stage that trains
preempt()
{
	until_true 120 under_way "$1" || return 1
	timeout 60 srun -p urgent -w "$node" -c 2 -n 1 true 2>/dev/null
	grep -q "JobId=$job has been requeued to reclaim resources" "$work/slurm/log/slurmctld" || preempt "$1"
}
preempt -
ok "preempt a job that trains: $name"
preempt "$name"
ok "preempt another: $name"

# a node dies: its daemon, and all processes of its job
until_true 120 under_way "$name"
ok "a third is under way: $name"
kill -KILL "$(cat "$work/slurm/run/slurmd-$node.pid")"
pkill -KILL -f "slurmstepd: \[$job\."
pkill -KILL -f "$(state_of "$name")"
lost=$job
down() { [[ $(sinfo -h -n "$1" -o %t | head -1) == down* ]]; }
until_true 90 down "$node"
ok 'its node is lost'
"$root/tests/cluster/slurm" node "$work/slurm" "$node"

# a daemon dies alone: its job lives on, here held until the one that replaces it has begun
until_true 150 under_way "$name"
ok "a fourth is under way: $name"
old=$(sed 's/.* pid \([0-9]*\).*/\1/' "$(state_of "$name").owner")
kill -STOP "$old"
kill -KILL "$(cat "$work/slurm/run/slurmd-$node.pid")"
orphan=$job
until_true 90 down "$node"
ok 'the daemon of its node is lost, the job lives on'
# `node` comes back only when the old copy has ended: it would be ended by it
taken() { ! grep -q " pid $old " "$(state_of "$name").owner" 2>/dev/null; }
until_true 120 taken
ok 'another copy has taken its state'
kill -CONT "$old"
until_true 60 test ! -d "/proc/$old"
ok 'the old copy ends'
grep -q 'this copy writes nothing more' "$work/b/build/cluster/$name.last.h5.log"
ok 'and says that it writes nothing more'
"$root/tests/cluster/slurm" node "$work/slurm" "$node"

wait "$pipeline"
ended=$?
[ $ended = 0 ]
ok 'the pipeline ends well'
[ $ended = 0 ] || tail -30 "$work/b.log" | sed 's/^/# /'
[ "$(grep -c 'has been requeued to reclaim resources' "$work/slurm/log/slurmctld")" -ge 2 ]
ok 'two jobs were preempted and requeued'
grep -qE "[Rr]equeu.*JobId=$lost|JobId=$lost.*[Rr]equeu" "$work/slurm/log/slurmctld"
ok 'the job of the lost node was requeued'
grep -qE "[Rr]equeu.*JobId=$orphan|JobId=$orphan.*[Rr]equeu" "$work/slurm/log/slurmctld"
ok 'the job of the lost daemon was requeued'
compare()
{
	local file bad=0 count=0
	while read -r file; do
		((++count))
		cmp "$work/a/$file" "$work/b/$file" || bad=1
	done < <(cd "$work/a" && find build/runs build/data -name '*.h5')
	echo "# $count files compared"
	[ $bad = 0 ] && [ $count -gt 50 ]
}
compare
ok 'weights, maps, states and data are those of the local run, byte for byte'
rows()
{
	awk -F'\t' -v OFS='\t' 'FNR == 1 { for (i = 1; i <= NF; i++) drop[i] = $i ~ /seconds|hardware|energy|device/ }
		{ for (i = 1; i <= NF; i++) if (drop[i]) $i = "-"; print }' "$1"/build/results/*/table2/rows/*.tsv
}
[ "$(rows "$work/a")" = "$(rows "$work/b")" ] && [ "$(rows "$work/a" | wc -l)" -gt 20 ]
ok 'rows are those of the local run'
[ -z "$(find "$work/b/build" -name '*.owner*' -o -name '*.done')" ]
ok 'nothing is left behind'
echo "1..$tests"
[ $failed -eq 0 ] || { grep -hE 'error|stage:|slurm:' "$work"/b.log "$work"/b/build/cluster/*.log | tail -40 | sed 's/^/# /'; exit 1; }
