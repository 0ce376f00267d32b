#!/usr/bin/env bats
# Checkpoints of another depth, width, number of classes or version: 65, and what differs is listed with
# both shapes, by every tool that reads one. (Those of public projects: import_export.t, vim_tools.t,
# vmamba_tools.t.)

load tools

setup_file()
{
	export folder
	folder=$(mktemp -d)
	cd "$folder"
	make-shapes --split train --count 64 -q -o data.h5
	init-weights --arch pmamba-micro-t -q -o student.h5
	init-weights --arch pmamba-micro-t --depth 3 -q -o shallow.h5
	init-weights --arch pmamba-micro-s -q -o wide.h5
	init-weights --arch pmamba-micro-t --classes 7 -q -o seven.h5
	init-weights --arch deit-micro-t -q -o teacher.h5
	init-weights --arch deit-micro-t --depth 3 -q -o teacher-shallow.h5
	init-weights --arch deit-micro-s -q -o teacher-wide.h5
	init-weights --arch deit-micro-t --classes 7 -q -o teacher-seven.h5
}

teardown_file()
{
	rm -rf "$folder"
}

setup()
{
	cd "$folder"
	rm -rf run*
}

train='distill-step -q --data data.h5 --set batch=16 --steps 2 --no-provenance'

# refused TOOL...: 65, one line, no output
refused()
{
	expect 65 "$@" -o run.h5
	one_line "$1"
	[ ! -e run.h5 ]
}

@test "a state of another network" {
	expect 0 $train --method task --init student.h5 --state run.state -o run-last.h5
	refused $train --method task --init shallow.h5 --state run.state
	message 'run.state does not hold pmamba-micro-t' || message 'another file as --init'
	refused $train --method task --init wide.h5 --state run.state
	message 'weight:layers.0.norm.weight is (32) here, (48) wanted' || message 'weight:.* is (32.*) here, (48.*) wanted'
	init-weights --arch pmamba-micro-t --depth 6 -q -o run-deep.h5
	refused $train --method task --init run-deep.h5 --state run.state
	message 'does not hold pmamba-micro-t: weight:layers.4.[^ ]* ([0-9, ]*) is missing; .*; and more'
}

@test "a calibration map between other widths" {
	local calibrate='calibrate -q --data data.h5 --set batch=16 --set epochs=1 --no-provenance'

	expect 0 $calibrate --student wide.h5 --teacher teacher-wide.h5 -o run-map.h5
	refused $train --method wsab --init student.h5 --teacher teacher.h5 --calibration run-map.h5
	message 'run-map.h5 does not hold the map.*: map.weight is (64, 48) here, (48, 32) wanted$'
	expect 0 extract-teacher-features -q --teacher teacher-wide.h5 --data data.h5 --set batch=16 -o run-f.h5
	expect 0 $calibrate --student student.h5 --teacher teacher.h5 -o run-narrow.h5
	refused $train --method wsab --init student.h5 --features run-f.h5 --calibration run-narrow.h5
	message 'map.weight is (48, 32) here, (64, 32) wanted'
	refused $train --method wsab --init student.h5 --teacher teacher.h5 --calibration student.h5
	message 'student.h5: holds weights, calibration needed'
}

@test "teachers before and after that differ" {
	local subclone='subclone-weights -q --student student.h5 --before teacher.h5 --after'

	refused $subclone teacher-wide.h5
	message 'cls_token is (1, 1, 48) in the one before, (1, 1, 64) in the one after; .*; and more$'
	refused $subclone teacher-shallow.h5
	message 'blocks.3.norm1.weight (48) is missing in the one after; .*; and more$'
	refused $subclone teacher-seven.h5
	message 'differ: head.weight is (48, 48) in the one before, (7, 48) in the one after; head.bias is (48) in the one before, (7) in the one after$'
	refused $subclone student.h5
}

@test "networks of other classes than the data's" {
	refused $train --method task --init seven.h5
	message 'seven.h5: its head is (7, 32), (48, 32) wanted for the 48 classes of data.h5: make it with --classes 48$'
	expect 65 eval-cls -q --weights seven.h5 --data data.h5
	message 'seven.h5: its head is (7, 32), (48, 32) wanted'
	expect 65 eval-cls -q --weights student.h5 --best seven.h5 --data data.h5
	message 'seven.h5: its head is (7, 32), (48, 32) wanted'
	refused $train --method logits --init student.h5 --teacher teacher-seven.h5
	message 'the teacher has 7 classes, the student 48'
}

# change FILE OUT PYTHON: a copy of it, changed by h5py as f
change()
{
	local python
	for python in /usr/bin/python3 python3 none; do
		"$python" -c 'import h5py' 2>/dev/null && break
	done
	[ "$python" != none ] || skip "no python3 with h5py"
	cp "$1" "$2"
	"$python" -c "import h5py, json
f = h5py.File('$2', 'r+')
$3"
}

# every tool that reads weights: refused_by_all FILE TEACHER-FILE PATTERN
refused_by_all()
{
	refused $train --method task --init "$1"
	message "$3"
	refused $train --method wsab --init student.h5 --teacher "$2"
	message "$3"
	refused calibrate -q --data data.h5 --student "$1" --teacher teacher.h5
	message "$3"
	refused calibrate -q --data data.h5 --student student.h5 --teacher "$2"
	message "$3"
	refused extract-teacher-features -q --data data.h5 --teacher "$2"
	message "$3"
	refused subclone-weights -q --before "$2" --after teacher.h5 --student student.h5
	message "$3"
	refused subclone-weights -q --before teacher.h5 --after "$2" --student student.h5
	message "$3"
	refused subclone-weights -q --before teacher.h5 --after teacher.h5 --student "$1"
	message "$3"
	expect 65 eval-cls -q --weights "$1" --data data.h5
	message "$3"
}

@test "files whose tensors are not those of their own settings" {
	local deeper='c = json.loads(f.attrs["config"]); c["depth"] = 5; f.attrs["config"] = json.dumps(c)'

	change student.h5 run-student "$deeper"
	change teacher.h5 run-teacher "$deeper"
	refused_by_all run-student run-teacher \
		'run-[a-z]* does not hold [a-z]*-micro-t: [a-z]*.4.[^ ]* ([0-9, ]*) is missing; .*; and more'
	change student.h5 run-student 'c = json.loads(f.attrs["config"]); c["dim"] = 48; f.attrs["config"] = json.dumps(c)'
	refused $train --method task --init run-student
	message 'run-student does not hold pmamba-micro-t: .* is (32.*) here, (48.*) wanted; .*; and more'
}

@test "files of another version of the format" {
	change student.h5 run-student 'f.attrs["format_version"] = 2'
	change teacher.h5 run-teacher 'f.attrs["format_version"] = 2'
	refused_by_all run-student run-teacher \
		'run-[a-z]*: has format version 2, this program reads 1: use the version of transmamba that wrote it'
	refused init-weights -q --from run-student --classes 7
	message 'has format version 2'
	expect 65 export-weights -q run-student -o run.safetensors
	message 'has format version 2'
	[ ! -e run.safetensors ]
}

@test "settings that this version does not know" {
	change student.h5 run-student 'c = json.loads(f.attrs["config"]); c["gates"] = 3; f.attrs["config"] = json.dumps(c)'
	change teacher.h5 run-teacher 'c = json.loads(f.attrs["config"]); c["gates"] = 3; f.attrs["config"] = json.dumps(c)'
	refused_by_all run-student run-teacher \
		"run-[a-z]*: config: setting 'gates' is not known to this version"
}
