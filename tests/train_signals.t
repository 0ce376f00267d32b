#!/usr/bin/env bats
# Runs of distill-step that are killed or told to stop end with the same bytes.

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
	rm -f run.* run-*
}

@test "killed at random moments" {
	local kills=0 want=${TM_LONG:+200}

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
