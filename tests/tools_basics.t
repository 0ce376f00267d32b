#!/usr/bin/env bats
# What every program must do whatever it is for: options, missing, damaged and wrong inputs, outputs
# that cannot be written. A new tool needs a line in `inputs`, or in `no_inputs`.

load tools
TM_BIN=$(realpath -m "$TM_BIN")

# tool | arguments, @ is the input under test | a whole file of a kind that does not belong there
inputs='
init-weights | --from @ -o out.h5 | images.h5
import-weights | @ --arch deit-micro-t -o out.h5 | images.h5
export-weights | @ -o out.safetensors | images.h5
pack-images | @ -o out.h5 | teacher.h5
extract-teacher-features | --teacher @ --data images.h5 -o out.h5 | images.h5
extract-teacher-features | --teacher teacher.h5 --data @ -o out.h5 | teacher.h5
subclone-weights | --before @ --after teacher.h5 --student student.h5 -o out.h5 | images.h5
subclone-weights | --before teacher.h5 --after @ --student student.h5 -o out.h5 | images.h5
subclone-weights | --before teacher.h5 --after teacher.h5 --student @ -o out.h5 | images.h5
calibrate | --student @ --teacher teacher.h5 --data images.h5 -o out.h5 | images.h5
calibrate | --student student.h5 --teacher @ --data images.h5 -o out.h5 | images.h5
calibrate | --student student.h5 --features @ --data images.h5 -o out.h5 | images.h5
calibrate | --student student.h5 --teacher teacher.h5 --data @ -o out.h5 | teacher.h5
distill-step | --init @ --data images.h5 --method task --epochs 1 --state out-state.h5 -o out.h5 | images.h5
distill-step | --init student.h5 --data @ --method task --epochs 1 --state out-state.h5 -o out.h5 | teacher.h5
distill-step | --init student.h5 --data images.h5 --teacher @ --method wsab --epochs 1 --state out-state.h5 -o out.h5 | images.h5
distill-step | --init student.h5 --data images.h5 --features @ --method wsab --epochs 1 --state out-state.h5 -o out.h5 | images.h5
distill-step | --init student.h5 --data images.h5 --teacher teacher.h5 --calibration @ --method wsab --epochs 1 --state out-state.h5 -o out.h5 | images.h5
distill-step | --init student.h5 --data images.h5 --valid @ --method task --epochs 1 --state out-state.h5 --best out-best.h5 -o out.h5 | teacher.h5
eval-cls | --weights @ --data images.h5 | images.h5
eval-cls | --weights student.h5 --data @ | teacher.h5
eval-cls | --score @ --data images.h5 | images.h5
join-parts | @ -o out.h5 | images.h5
show-tensors | @ |
diff-tensors | @ images.h5 |
diff-tensors | images.h5 @ |
check-file | @ |
render-table | --layout layout.conf --paper @ --rows rows.tsv --format markdown |
render-table | --layout layout.conf --paper paper.tsv --rows @ |
render-table | --layout @ --rows rows.tsv |
plot-curves | --series a=@ --y top1 -o out |
plot-chart | --kind lines --x seed --y top1 -o out @ |
show-cost | --student @ |
'
no_inputs='make-shapes bench-kernels bench-step'

# Libraries may lie beside the programs.
tools()
{
	ls --ignore='*.so*' "$TM_BIN"
}

setup_file()
{
	cd "$BATS_FILE_TMPDIR"
	PATH=$TM_BIN:$PATH
	command -v make-shapes >/dev/null && command -v init-weights >/dev/null || return 0
	make-shapes --set cls --split train --count 64 -o images.h5
	init-weights --arch deit-micro-t -o teacher.h5
	init-weights --arch pmamba-micro-t -o student.h5
	printf 'title = t\nkey = row\nmeasure = - | top1 | top1 | theirs\nrow = a\n' >layout.conf
	printf 'row\ttheirs\na\t1\n' >paper.tsv
	printf 'name\tset\tseed\ttop1\na\tx\t0\t2\n' >rows.tsv
}

setup()
{
	[ -n "$(tools 2>/dev/null)" ] || skip "no tools in $TM_BIN"
	[ -e "$BATS_FILE_TMPDIR/student.h5" ] || skip "no make-shapes or no init-weights"
	cd "$BATS_FILE_TMPDIR"
}

# each FUNCTION: calls it with tool, arguments and the wrong kind of file, for every line of inputs
each()
{
	local tool arguments wrong

	while IFS='|' read -r tool arguments wrong; do
		tool=${tool// /}
		[ -n "$tool" ] && [ -x "$TM_BIN/$tool" ] || continue
		rm -f out*
		"$1" "$tool" "$arguments" "${wrong// /}" </dev/null
		if [ -n "$(ls out* 2>/dev/null)" ]; then
			echo "$tool $arguments: left $(ls out*)"
			return 1
		fi
	done <<<"$inputs"
}

# run_with STATUS TOOL ARGUMENTS FILE
run_with()
{
	local words

	read -ra words <<<"${3//@/$4}"
	# what others cannot use is an answer here
	if [ "$2" = check-file ] && [ "$1" -eq 65 ]; then
		expect 1 "$2" "${words[@]}"
	else
		expect "$1" "$2" "${words[@]}"
		message "^$2: "
	fi
	message "$4"
}

@test "every tool is in this test" {
	for tool in $(tools); do
		if ! grep -q "^$tool |" <<<"$inputs" && [[ " $no_inputs " != *" $tool "* ]]; then
			echo "$tool: give it a line in tests/tools_basics.t"
			return 1
		fi
	done
}

@test "help, usage, version, unknown options" {
	for tool in $(tools); do
		check_tool_basics "$tool"
		expect 64 "$tool" --no-such-option=1
	done
}

@test "arguments that a tool has no use for are refused" {
	for tool in bench-step calibrate distill-step eval-cls extract-teacher-features init-weights \
		subclone-weights; do
		expect 64 "$tool" extra
		message "^$tool: 'extra' is not expected"
	done
	expect 64 diff-tensors images.h5 images.h5 extra
	message "^diff-tensors: 'extra' is not expected"
}

@test "help names every option with a word on it" {
	for tool in $(tools); do
		expect 0 "$tool" --help
		if grep -E '^ +(-., )?--[a-z-]+(=[A-Z]+)?$' <<<"$output" | grep -vE -A1 '.{28}'; then
			echo "$tool: options without a word"
			return 1
		fi
	done
}

missing()
{
	run_with 66 "$1" "$2" missing.h5
}

@test "missing inputs give 66 and the file's name" {
	each missing
}

empty()
{
	: >empty.h5
	run_with 65 "$1" "$2" empty.h5
}

@test "empty inputs give 65 and the file's name" {
	each empty
}

truncated()
{
	local whole=teacher.h5

	[[ $2 != *'--data @'* && $1 != pack-images ]] || whole=images.h5
	head -c "$(($(stat -c %s $whole) / 2))" $whole >cut.h5
	run_with 65 "$1" "$2" cut.h5
}

@test "truncated inputs give 65 and the file's name" {
	each truncated
}

wrong_kind()
{
	[ -z "$3" ] || run_with 65 "$1" "$2" "$3"
}

@test "files of another kind give 65 and the file's name" {
	each wrong_kind
}

@test "a folder where a file is wanted is refused" {
	mkdir folder.h5
	a_folder()
	{
		local words

		[ "$1" != pack-images ] || return 0
		read -ra words <<<"${2//@/folder.h5}"
		run timeout 60 "$1" "${words[@]}"
		echo "$1 ${words[*]}: $status: $output"
		[[ $status == 6[56] ]]
	}
	each a_folder
}

@test "outputs that cannot be written" {
	writes()
	{
		local tool=$1

		[ -x "$TM_BIN/$tool" ] || return 0
		check_output_failures "$@"
	}
	writes init-weights --arch deit-micro-t
	writes make-shapes --set cls --split train --count 64
	writes pack-images images.h5
	writes subclone-weights --before teacher.h5 --after teacher.h5 --student student.h5
	writes extract-teacher-features --teacher teacher.h5 --data images.h5
}
