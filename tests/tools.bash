# Functions that the tests of tools share: `load tools` in a bats file, TM_BIN is the folder of tools.
#
#	check_tool_basics TOOL [ARGUMENT...]
#		what every tool must do. With arguments that make it print results (a few seconds at
#		most), a full disk and a closed pipe on stdout are tried as well.
#	expect STATUS COMMAND...     runs it, fails unless it exits so; $output has both streams
#	message PATTERN              fails unless a line of $output matches
#	check_output_failures TOOL ARGUMENT...
#		for a tool that writes a file: the arguments without "-o FILE". A full disk, a folder
#		that cannot be written and a terminal-less pipe are tried.

TM_BIN=${TM_BIN:-$BATS_TEST_DIRNAME/../build/bin}
PATH=$TM_BIN:$PATH

expect()
{
	local want=$1
	shift
	run timeout 120 "$@"
	if [ "$status" -ne "$want" ]; then
		echo "exit $status, not $want: $*"
		echo "$output"
		return 1
	fi
}

message()
{
	if ! grep -q -e "$1" <<< "$output"; then
		echo "no line matches '$1' in:"
		echo "$output"
		return 1
	fi
}

# One line "tool: words" and nothing else on stderr.
one_line()
{
	if [ "$(wc -l <<< "$output")" -ne 1 ] || ! [[ $output == "$1: "* ]]; then
		echo "not one line of $1:"
		echo "$output"
		return 1
	fi
}

check_tool_basics()
{
	local tool=$1
	shift

	expect 0 "$tool" --help
	message "^Usage: $tool"
	message "Standard options:"
	expect 0 "$tool" --usage
	expect 0 "$tool" --version
	message "^$tool (transmamba) [0-9]"
	expect 64 "$tool" --no-such-option
	message "^$tool: unrecognized option"
	expect 74 sh -c '"$1" --help > /dev/full' sh "$tool"
	message "^$tool: standard output: cannot be written"
	if [ $# -gt 0 ]; then
		expect 74 sh -c '"$@" > /dev/full' sh "$tool" "$@"
		message "^$tool: "
		# 0 when all was written before the pipe closed, 141: killed by SIGPIPE
		run timeout 120 bash -c '"$@" | true; echo "${PIPESTATUS[0]}"' sh "$tool" "$@"
		[[ ${lines[-1]} =~ ^(0|141)$ ]]
	fi
}

# Root may write anywhere: a folder below a regular file cannot be written by anyone.
check_output_failures()
{
	local tool=$1 folder
	shift

	folder=$(mktemp -d)
	: > "$folder/file"
	expect 73 "$tool" "$@" -o "$folder/file/out.h5"
	message "^$tool: "
	expect 73 "$tool" "$@" -o "$folder/missing/out.h5"
	expect 73 "$tool" "$@" -o "$folder"
	expect 74 "$tool" "$@" -o /dev/full
	message "No space left on device"
	expect 74 sh -c '"$@" -o - > /dev/full' sh "$tool" "$@"
	# 1 KiB or 2, as the shell counts: clang's OpenMP library takes 1 KiB of shared memory
	expect 74 sh -c 'ulimit -f 2; trap "" XFSZ; "$@" -o '"$folder/out.h5" sh "$tool" "$@"
	if [ "$(ls -A "$folder")" != file ]; then
		echo "left behind: $(ls -A "$folder")"
		return 1
	fi
	rm -r "$folder"
}
