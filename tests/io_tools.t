#!/usr/bin/env bats
# show-tensors, diff-tensors, check-file, and what all tools must survive.

# shellcheck disable=SC2086 # tools with their first argument
load tools

setup_file()
{
	# made by a test program: build/release/tests for build/bin, else beside the tools
	local program
	for program in "$TM_BIN"/../{,release/}tests/io_samples; do
		if [ -x "$program" ]; then
			"$program" "$BATS_FILE_TMPDIR" > /dev/null
			return
		fi
	done
	echo "tests/io_samples is not built"
	return 1
}

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	cp "$BATS_FILE_TMPDIR"/*.h5 .
}

@test "show-tensors: basics" {
	check_tool_basics show-tensors weights.h5
	expect 64 show-tensors
	message "which file?"
	expect 0 show-tensors -- weights.h5
	expect 0 show-tensors --diff weights.h5
}

@test "diff-tensors: basics" {
	check_tool_basics diff-tensors weights.h5 bf16.h5
	expect 64 diff-tensors weights.h5
	expect 64 diff-tensors weights.h5 weights.h5 weights.h5
	expect 64 diff-tensors --rtol 1e-3x weights.h5 weights.h5
	message "a number expected"
	expect 64 diff-tensors --rtol nan weights.h5 weights.h5
	expect 64 diff-tensors --atol=-1 weights.h5 weights.h5
	message "must lie between"
}

@test "check-file: basics" {
	check_tool_basics check-file weights.h5
	expect 64 check-file
}

@test "missing, truncated, empty, a folder, another format" {
	for tool in show-tensors check-file "diff-tensors weights.h5"; do
		damaged=65
		[ "$tool" != check-file ] || damaged=1
		expect 66 $tool missing.h5
		message "missing.h5: No such file"
		expect 66 $tool .
		: > empty.h5
		expect $damaged $tool empty.h5
		message "is empty"
		echo "some text that is no HDF5" > text.h5
		expect $damaged $tool text.h5
		message "is not an HDF5 file"
		for part in 100 1000 5000; do
			head -c $part weights.h5 > cut.h5
			expect $damaged $tool cut.h5
			message "damaged or not whole"
		done
	done
}

@test "HDF5 errors are one line, more with --verbose" {
	head -c 1000 weights.h5 > cut.h5
	expect 65 show-tensors cut.h5
	one_line show-tensors
	expect 65 show-tensors --verbose cut.h5
	message "HDF5-DIAG"
}

@test "standard input: pipe, file, empty, closed" {
	expect 0 sh -c 'show-tensors - < weights.h5'
	message "head.weight	f32	10,48"
	expect 0 sh -c 'cat weights.h5 | show-tensors -'
	message "head.weight	f32	10,48"
	expect 0 sh -c 'cat weights.h5 | diff-tensors - weights.h5'
	expect 65 sh -c 'show-tensors - < /dev/null'
	message "standard input: is empty"
	expect 66 sh -c 'show-tensors - <&-'
	expect 64 sh -c 'diff-tensors - - < weights.h5'
	expect 65 sh -c 'head -c 3000 weights.h5 | show-tensors -'
	TMPDIR=/nowhere expect 73 sh -c 'cat weights.h5 | show-tensors -'
	message "set TMPDIR"
	# a file without a name cannot be opened by HDF5, and is spooled
	expect 0 sh -c 'exec 3< weights.h5; rm weights.h5; show-tensors - <&3'
}

@test "show-tensors: list, values, statistics, JSON" {
	expect 0 show-tensors weights.h5
	[ "${lines[0]}" = "name	type	shape" ]
	[ "${lines[1]}" = "head.weight	f32	10,48" ]
	expect 0 show-tensors weights.h5 head.bias
	message "^head.bias	f32	10	-0.5	4	1.75	1	0	0"
	message "^head.bias\[9\] = 4$"
	expect 65 show-tensors weights.h5 nothing
	message "weights.h5: holds no nothing"
	expect 0 show-tensors --json images.h5
	[ "${lines[0]}" = '{"name": "pixels", "type": "u8", "shape": "6,4,4,3"}' ]
}

@test "show-tensors: provenance, and --diffable without it" {
	expect 0 show-tensors --provenance weights.h5
	message "^0001"
	message "tool = make-samples"
	expect 0 show-tensors --diffable weights.h5
	message "^@kind = weights"
	message "^head.bias\[0\] = -0.5"
	run grep make-samples <<< "$output"
	[ "$status" -eq 1 ]
}

@test "diff-tensors: equal, other provenance, other values, types, attributes" {
	expect 0 diff-tensors weights.h5 weights.h5
	[ -z "$output" ]
	expect 0 diff-tensors weights.h5 again.h5
	expect 1 cmp -s weights.h5 again.h5
	expect 1 diff-tensors weights.h5 changed.h5
	message "^head.bias	values	1	0.25	0.0666*67	9"
	message "^depth	attribute"
	message "^extra	only in B"
	expect 1 diff-tensors weights.h5 bf16.h5
	message "^head.weight	type"
	expect 0 diff-tensors --rtol 0.004 weights.h5 bf16.h5
	expect 1 diff-tensors --rtol 1e-4 weights.h5 bf16.h5
	message "^head.weight	values"
}

@test "check-file: whole, several, hash, labels, offsets, kinds" {
	expect 0 check-file weights.h5 images.h5 encoded.h5
	[ "${lines[3]}" = "encoded.h5	images	whole	" ]
	expect 1 check-file weights.h5 labels.h5
	message "labels\[3\] is 7, beyond -1..2"
	expect 1 check-file offsets.h5
	message "offset\[2\] is below"
	expect 66 check-file labels.h5 missing.h5
	message "check-file: missing.h5"
	expect 1 check-file noconfig.h5
	message "config is not JSON"
}

@test "check-file: a flipped byte in the values" {
	# the bias holds -0.5 0 0.5 ... as f32: change its second value where it lies
	at=$(LC_ALL=C grep -obUaP '\x00\x00\x00\xbf\x00\x00\x00\x00\x00\x00\x00\x3f' weights.h5 |
		head -1 | cut -d: -f1)
	[ -n "$at" ]
	printf '\001' | dd of=weights.h5 bs=1 seek=$((at + 5)) conv=notrunc status=none
	expect 1 check-file weights.h5
	message "head.bias.*damaged"
	expect 65 show-tensors weights.h5 head.bias
}

@test "files of another version or maker" {
	expect 65 show-tensors future.h5
	message "has format version 2, this program reads 1"
	if /usr/bin/python3 -c 'import h5py' 2> /dev/null; then
		/usr/bin/python3 -c 'import h5py; h5py.File("other.h5", "w")["x"] = 1'
		expect 65 show-tensors other.h5
		message "not a file of transmamba"
	fi
}

@test "a limit on locks is explained" {
	if ! command -v flock > /dev/null || ! /usr/bin/python3 -c 'import h5py' 2> /dev/null; then
		skip "needs flock and python3-h5py"
	fi
	expect 65 flock -x weights.h5 show-tensors weights.h5
	message "HDF5_USE_FILE_LOCKING=FALSE"
	expect 0 env HDF5_USE_FILE_LOCKING=FALSE flock -x weights.h5 show-tensors weights.h5
}

@test "h5py opens them as they are" {
	/usr/bin/python3 -c 'import h5py' 2> /dev/null || skip "python3-h5py is not installed"
	expect 0 /usr/bin/python3 - << 'PYTHON'
import h5py, numpy
f = h5py.File("weights.h5")
assert f.attrs["kind"] == "weights" and isinstance(f.attrs["arch"], str)
assert f.attrs["format_version"] == 1
assert f["head.weight"].shape == (10, 48) and f["head.weight"].dtype == "<f4"
assert f["head.weight"].fletcher32
assert f["head.bias"][9] == 4
assert f["provenance/0001"].attrs["tool"] == "make-samples"
b = h5py.File("bf16.h5")["head.weight"][()]
assert numpy.abs(b - f["head.weight"][()]).max() <= 0.004 * numpy.abs(b).max()
i = h5py.File("images.h5")
assert list(i["class_names"].asstr()) == ["red", "green", "Grün"]
assert [d.label for d in i["pixels"].dims] == ["sample", "row", "column", "colour"]
assert i["pixels"].attrs["long_name"] == "images"
PYTHON
}

@test "what h5py writes is read" {
	/usr/bin/python3 -c 'import h5py' 2> /dev/null || skip "python3-h5py is not installed"
	/usr/bin/python3 - << 'PYTHON'
import h5py, numpy
f = h5py.File("theirs.h5", "w", libver="latest")
f.attrs["kind"] = "predictions"
f.attrs["format_version"] = 1
f.attrs["fixed"] = numpy.bytes_(b"some text")
f["logits"] = numpy.arange(12, dtype="f4").reshape(4, 3)
f["half"] = numpy.array([1.5, 65504], dtype="f2")
f["names"] = ["a", "b", "Grün"]
f["old"] = numpy.array([b"x ", b"yy"])
f["link"] = h5py.SoftLink("/logits")
f["away"] = h5py.ExternalLink("weights.h5", "/head.bias")
f["int8"] = numpy.array([1], dtype="i1")
PYTHON
	expect 0 show-tensors theirs.h5 logits half names old
	message "^logits	f32	4,3	0	11	5.5"
	message "^half\[1\] = 65504"
	message "^names\[2\] = Grün"
	message "^old\[1\] = yy"
	expect 65 show-tensors theirs.h5 link
	expect 65 show-tensors theirs.h5 away
	expect 65 show-tensors theirs.h5 int8
	message "has a type that is not read here"
	expect 0 sh -c 'show-tensors theirs.h5 logits names'
}
