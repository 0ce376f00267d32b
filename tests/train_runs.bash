# What the tests of runs that end early share: `load train_runs`, tiny data and networks in a folder.

load tools

# The folder, entered.
runs_folder()
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

plain='--init student.h5 --data data.h5 --batch 16 --set lr=3e-3 --no-provenance -q --seed 5'
wsab="$plain --method wsab --teacher teacher.h5"
mixing='--set mixup=0.8 --set cutmix=1 --set erase=0.5 --set augment=shift --set drop_path=0.3'

# whole ARGUMENT...: the run that nothing cuts
whole()
{
	expect 0 distill-step "$@" --state whole-state.h5 -o whole.h5
}

# --- long runs ---

# $long: arguments of a run of $steps steps, four seconds or so and 800 at most. Sanitizers make a step
# ten times as long.
long_run()
{
	local start=${EPOCHREALTIME/[.,]/}

	expect 0 distill-step $plain --method task --steps 40 --epochs 10 --threads 1 -o run.h5
	steps=$((4000000 * 40 / (${EPOCHREALTIME/[.,]/} - start) / 4 * 4))
	steps=$((steps > 800 ? 800 : steps < 100 ? 100 : steps))
	export steps long="--method task --steps $steps --epochs $((steps / 4)) --save-every 0.2 --threads 1"
}

# Starts a long run in the background; its pid in $pid.
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
