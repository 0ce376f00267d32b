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
	[ "$(awk 'NR > 1 { print $1 }' <<< "$output" | sort -u | wc -l)" -eq 2 ]
	expect 64 bench-kernels nothing
	message "no op is called nothing"
}
