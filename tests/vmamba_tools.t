#!/usr/bin/env bats
# VMamba through the programs: subcloning, calibration, every method, and names with an MLP.

load train_runs

setup_file()
{
	make_runs vmamba-micro deit-micro-b 5
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
	rm -f run* f.h5 c*.h5 w*.h5 x.h5 out*
}

common='--data data.h5 --seed 5 --no-provenance -q --set batch=16 --set epochs=1'

@test "the public code has an MLP of its own: nothing is added, --strict exports" {
	expect 0 export-weights student.h5 --strict -o out.safetensors
	[ -z "$output" ]
	expect 0 import-weights out.safetensors --arch vmamba-micro -q -o w.h5
	expect 0 diff-tensors student.h5 w.h5
	expect 0 init-weights --arch vmamba-micro --mlp-ratio 0 -o w.h5
	expect 0 export-weights w.h5 --strict -o out.safetensors
	expect 65 import-weights out.safetensors --arch vmamba-micro -o x.h5
	message 'layers.3.blocks.0.mlp.fc2.bias is missing'
	expect 65 import-weights out.safetensors --arch vmamba-t -o x.h5
	message 'layers.0.blocks.0.op.A_logs is (128, 8), (1024, 16) wanted'
	[ ! -e x.h5 ]
}

@test "another input: the same parameters, other grids" {
	expect 0 init-weights --from student.h5 --input 56 -o w.h5
	expect 1 diff-tensors student.h5 w.h5
	[ "${lines[1]}" = $'config\tattribute' ] && [ "${#lines[@]}" -eq 2 ]
	expect 65 init-weights --arch vmamba-micro --input 30 -o x.h5
	message 'no multiple of the patch'
}

@test "subcloning: the third stage, whatever the depths, and what stays fresh is said" {
	local clone='subclone-weights --before teacher.h5 --after other.h5'
	expect 0 $clone --student student.h5 -o run.h5
	message '2 layers'
	message 'classifier.norm: fresh, wider than the teacher'
	expect 1 diff-tensors run.h5 student.h5
	if grep -e 'layers.[013]' -e '\.op\.' -e head -e patch <<<"$output"; then return 1; fi
	# norms and biases of fresh networks are alike
	[ "$(grep -c -e 'layers.2.blocks.[01].mlp.fc[12].weight' <<<"$output")" -eq 4 ]
	expect 0 eval-cls --weights run.h5 --data valid.h5
	init-weights --arch deit-micro-t --depth 2 --seed 2 -o w.h5
	expect 0 subclone-weights --before w.h5 --after w.h5 --student student.h5 -o run2.h5
	message 'the student is wider than the teacher'
	expect 0 diff-tensors run2.h5 student.h5
}

@test "every method trains, online and from a features file alike" {
	methods_alike
	expect 0 distill-step --init student.h5 $common --method feature --teacher teacher.h5 \
		--set feature_loss=rc -o run1.h5
	expect 0 distill-step --init student.h5 $common --method task -o run1.h5
	expect 65 distill-step --init student.h5 $common --method rc --teacher teacher.h5 -o run3.h5
	message 'rc compares features as they are: the teacher is 80 wide, the student 16'
	[ ! -e run3.h5 ]
}

@test "calibrated first; teachers of other widths and grids, v05_noz" {
	init-weights --arch vmamba-t-s1l8 --input 32 --depth 7 --classes 48 --seed 1 -o w2.h5
	for teacher in 'deit-micro-s --patch 4' 'deit-micro-t --patch 16' 'deit-micro-b --patch 8'; do
		init-weights --arch $teacher --depth 2 --seed 2 -o w.h5
		expect 0 calibrate --student student.h5 --teacher w.h5 $common -o c.h5
		expect 0 show-tensors c.h5
		for width in 16 32 64 128; do
			message "map.width$width.weight"
		done
		expect 0 distill-step --init student.h5 --teacher w.h5 --calibration c.h5 $common \
			--method wsab -o run2.h5
		expect 0 eval-cls --weights run2.h5 --data valid.h5
	done
	expect 0 distill-step --init w2.h5 --teacher teacher.h5 $common --method wsab --set batch=32 \
		-o run.h5
	expect 0 eval-cls --weights run.h5 --data valid.h5
	expect 0 calibrate --student student.h5 --teacher teacher.h5 $common \
		--set calib_teacher=frozen -o c.h5
	init-weights --arch pmamba-micro-t --seed 1 -o w.h5
	expect 65 distill-step --init w.h5 --teacher teacher.h5 --calibration c.h5 $common \
		--set calib_teacher=frozen --method wsab -o run3.h5
	[ ! -e run3.h5 ]
}

@test "cut anywhere, and with any number of threads: the same bytes" {
	same_bytes
}
