#!/usr/bin/env bats
# MambaOut, a student without scan, through the programs: checkpoints in and out, every method.

load train_runs

setup_file()
{
	make_runs mambaout-micro deit-micro-t 5
}

setup()
{
	golden=$BATS_TEST_DIRNAME/golden
	cd "$BATS_FILE_TMPDIR"
	rm -f run* f.h5 c*.h5 w*.h5 x.h5 out*
}

common='--data data.h5 --seed 5 --no-provenance -q --set batch=16 --set epochs=1'

@test "published names in and out" {
	expect 0 export-weights student.h5 --strict -o out.safetensors
	[ -z "$output" ]
	expect 0 import-weights out.safetensors --arch mambaout-micro -q -o w.h5
	expect 0 diff-tensors student.h5 w.h5
	expect 0 export-weights student.h5 --spelling first -o out2.safetensors
	grep -aq 'downsample_layers.3.conv.weight' out2.safetensors
	expect 0 import-weights out2.safetensors --arch mambaout-micro -o w2.h5
	message "names of MambaOut's code"
	expect 0 diff-tensors student.h5 w2.h5
	expect 0 import-weights out.safetensors --arch mambaout-micro --classes 7 -o w3.h5
	message 'head.fc.weight: 7 classes instead of 48: drawn anew'
	expect 65 init-weights --arch mambaout-t --patch 8 -o x.h5
	message 'the patch must be 4'
}

@test "what is added to the public network is said, or refused" {
	init-weights --arch mambaout-micro --mlp-ratio 2 -o w.h5
	expect 0 export-weights w.h5 -o out.safetensors
	message 'stages.#.blocks.#.mlp.fc1.weight .* is not part of timm.s MambaOut'
	expect 65 export-weights w.h5 --strict -o out2
}

@test "every method trains, online and from a features file alike" {
	methods_alike
	expect 65 distill-step --init student.h5 $common --method wsab --set tap=inner \
		--teacher teacher.h5 -o x.h5
	message 'has no scan to look at'
	expect 65 subclone-weights --before teacher.h5 --after other.h5 --student student.h5 -o x.h5
	message 'subcloning into mambaout-micro is not known'
	[ ! -e x.h5 ]
}

@test "calibrated first, then distilled, then judged" {
	expect 0 calibrate --student student.h5 --teacher teacher.h5 $common -o c.h5
	expect 0 distill-step --init student.h5 --teacher teacher.h5 --calibration c.h5 $common \
		--method wsab -o run.h5
	expect 0 eval-cls --weights run.h5 --data valid.h5
}

@test "cut anywhere, and with any number of threads: the same bytes" {
	same_bytes
}
