#!/usr/bin/env bats
# Dependencies go one way: each folder includes only what stands to its right here.

rules='
kernels		kernels
lib/base	lib/base
lib/io		lib/io lib/base
lib/report	lib/report lib/base
lib/data	lib/data lib/io lib/base kernels
lib/program	lib/program lib/base kernels
lib/cuda	lib/cuda lib/program lib/base kernels
lib/models	lib/models lib/program lib/io lib/base kernels
lib/distill	lib/distill lib/models lib/program lib/data lib/io lib/base kernels
lib/train	lib/train lib/distill lib/models lib/program lib/data lib/io lib/base kernels
lib/cli		lib/cli lib/report lib/train lib/distill lib/models lib/program lib/data lib/io lib/base
tools		tools lib/cli lib/report lib/train lib/distill lib/models lib/program lib/data lib/io lib/base kernels
'

# Prints "file: may not include header" for each include that goes the wrong way; $1 is the root.
violations()
{
	find "$1" -path "$1/build" -prune -o \
		-path "$1/kernels/*.*" -print -o -path "$1/lib/*.[ch]" -print -o -path "$1/tools/*.c" -print |
		xargs -r grep -HE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' |
		awk -v root="$1/" -v rules="$rules" '
		function layer(path) {
			return match(path, "^(lib/[^/]+|[^/]+)") ? substr(path, 1, RLENGTH) : ""
		}
		BEGIN {
			n = split(rules, line, "\n")
			for (i = 1; i <= n; i++) {
				m = split(line[i], word, /[ \t]+/)
				for (j = 2; j <= m; j++)
					allowed[word[1], word[j]] = 1
			}
		}
		{
			file = substr($0, length(root) + 1)
			sub(/:.*/, "", file)
			header = $0
			sub(/^[^"]*"/, "", header)
			sub(/".*/, "", header)
			if (header == "version.h") # made by the build
				next
			if (!((layer(file), layer(header)) in allowed))
				print file ": may not include " header
		}'
}

@test "includes go one way" {
	run violations "$BATS_TEST_DIRNAME/.."
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "headers are named from the root, so that the rule sees them" {
	cd "$BATS_TEST_DIRNAME/.."
	run grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^/"]*|\.\./[^"]*)"' --include="*.[ch]" .
	output=$(echo "$output" | grep -vE '^./(build|tests)/|"version.h"' || true)
	echo "$output"
	[ -z "$output" ]
}

@test "kernels neither allocate, read files nor print" {
	cd "$BATS_TEST_DIRNAME/.."
	run grep -nE '\<(malloc|calloc|realloc|free|fopen|open|printf|fprintf|puts|exit|abort)[[:space:]]*\(' \
		kernels/*.c kernels/*.h
	echo "$output"
	[ "$status" -eq 1 ]
}

@test "the library neither prints on stdout nor ends the process" {
	cd "$BATS_TEST_DIRNAME/.."
	run grep -rnE '\<(printf|puts|putchar|exit|_exit|abort)[[:space:]]*\(' lib --include='*.c' \
		--exclude-dir=cli
	output=$(grep -v '_exit(0); /\* ends the child \*/' <<<"$output" || true)
	echo "$output"
	[ -z "$output" ]
}

@test "a wrong include is found" {
	root=$(mktemp -d)
	mkdir -p "$root/kernels" "$root/lib/program" "$root/lib/train" "$root/tools"
	echo '#include "lib/train/loop.h"' >"$root/lib/program/plan.c"
	echo ' #  include "lib/base/error.h"' >"$root/kernels/add.h"
	echo '#include "lib/program/op.h"' >"$root/lib/train/loop.c"
	run violations "$root"
	rm -rf "$root"
	[ "${#lines[@]}" -eq 2 ]
	[[ "$output" == *"lib/program/plan.c: may not include lib/train/loop.h"* ]]
	[[ "$output" == *"kernels/add.h: may not include lib/base/error.h"* ]]
}
