#!/usr/bin/env bats
# bench-kernels: what every tool must do, and that no op is left out.

load tools

@test "does what every tool must" {
	check_tool_basics bench-kernels --seconds 0 update_gate
}

@test "checks and times every op of the table" {
	expect 0 bench-kernels --seconds 0 --quiet --threads 1
	local ops=$(awk 'NR > 1 { print $1 }' <<< "$output" | sort -u)
	expect 0 bench-kernels --list
	[ "$ops" == "$(sed 1d <<< "$output" | sort -u)" ]
}

@test "takes patterns, and refuses what no op is called" {
	expect 0 bench-kernels --seconds 0 --quiet --threads 1 'dwconv*'
	[ "$(awk 'NR > 1 { print $1 }' <<< "$output" | sort -u | wc -l)" -eq 3 ]
	expect 64 bench-kernels nothing
	message "no op is called nothing"
}

@test "every level of the instruction set that this machine has agrees with the reference" {
	expect 64 env TM_ISA=v9 bench-kernels --list
	message "TM_ISA=v9: must be base, v3 or v4"
	for level in base v3 v4; do
		run env TM_ISA=$level bench-kernels --seconds 0 --quiet linear attention '*norm' gelu
		if [ "$status" -eq 69 ]; then # a level that this CPU lacks
			message "TM_ISA=$level: this CPU or build does not have it"
		else
			[ "$status" -eq 0 ]
		fi
	done
}
