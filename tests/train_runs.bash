# What the tests of runs share: `load train_runs`, and tiny data and networks by make_runs.

load tools

# make_runs STUDENT TEACHER [DEPTH]: data.h5, valid.h5, student.h5 of that depth (2), teacher.h5 and
# other.h5, another such teacher, in the folder of this file's tests, entered.
make_runs()
{
	cd "$BATS_FILE_TMPDIR"
	make-shapes --set cls --split train --count 72 -q -o data.h5
	make-shapes --set cls --split valid --count 40 -q -o valid.h5
	init-weights --arch "$1" --depth "${3:-2}" --seed 1 -o student.h5
	init-weights --arch "$2" --depth 2 --seed 2 -o teacher.h5
	init-weights --arch "$2" --depth 2 --seed 3 -o other.h5
	export OMP_WAIT_POLICY=passive
}

plain='--init student.h5 --data data.h5 --batch 16 --set lr=3e-3 --no-provenance -q --seed 5'
wsab="$plain --method wsab --teacher teacher.h5"
mixing='--set mixup=0.8 --set cutmix=1 --set erase=0.5 --set augment=shift --set drop_path=0.3'

# whole ARGUMENT...: the run that nothing cuts
whole()
{
	expect 0 distill-step "$@" --state whole-state.h5 -o whole.h5
}

# --- what every student must do: student.h5, teacher.h5, settings in $common ---

# Each method gives the same weights with the teacher online and from a features file.
methods_alike()
{
	local method run

	expect 0 extract-teacher-features --teacher teacher.h5 $common -o f.h5
	for method in wsab logits feature; do
		run="distill-step --init student.h5 $common --method $method"
		[ $method != feature ] || run+=' --set feature_loss=cos'
		expect 0 $run --teacher teacher.h5 -o run1.h5
		expect 0 $run --features f.h5 -o run2.h5
		expect 0 diff-tensors run1.h5 run2.h5 --rtol 1e-4 --atol 1e-5
	done
}

# Cut and taken up by another number of threads, a run ends with the same bytes.
same_bytes()
{
	local run="distill-step --init student.h5 $common --method wsab --teacher teacher.h5
		--set drop_path=0.3 --set mixup=0.8 --shards 2"

	expect 0 $run --threads 1 -o run1.h5
	expect 75 $run --threads 2 --state run.state --stop-after 2 -o run2.h5
	expect 0 $run --threads 3 --state run.state -o run2.h5
	cmp run1.h5 run2.h5
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
