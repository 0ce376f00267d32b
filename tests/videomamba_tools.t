#!/usr/bin/env bats
# VideoMamba through the programs: weights in and out, clips, every method on images.

load train_runs

setup_file()
{
	make_runs videomamba-micro deit-micro-t
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
	rm -f run* f.h5 c*.h5 w*.h5 x.h5 out*
}

common='--data data.h5 --seed 5 --no-provenance -q --set batch=16 --set epochs=1'
micro='--arch videomamba-micro --depth 2'

@test "out and in again: the same tensors" {
	for frames in '' '--frames 4'; do
		expect 0 init-weights $micro $frames --seed 3 -o w.h5
		for spelling in public own; do
			expect 0 export-weights w.h5 --spelling $spelling --strict -o out.safetensors
			[ -z "$output" ]
			expect 0 import-weights out.safetensors $micro $frames -o w2.h5
			message "names of VideoMamba's code"
			expect 0 diff-tensors w.h5 w2.h5
		done
	done
	expect 64 export-weights w.h5 --spelling hf -o out2
	expect 65 import-weights out.safetensors $micro -o x.h5
	message 'patch_embed.proj.weight is (48, 3, 1, 8, 8), (48, 3, 8, 8) wanted'
	message 'temporal_pos_embedding (1, 4, 48) is not wanted'
	expect 65 import-weights out.safetensors --arch vim-micro-t --depth 2 -o x.h5
	[ ! -e x.h5 ]
}

@test "a network of images becomes one of clips: the frames' positions are 0" {
	expect 0 init-weights --from student.h5 --frames 3 -o w.h5
	message '41 tensors of student.h5, 1 fresh: temporal_pos_embedding is not there'
	expect 0 show-tensors w.h5
	message 'patch_embed.proj.weight.*48,3,1,8,8$'
	message 'temporal_pos_embedding.*1,3,48$'
	expect 0 export-weights student.h5 --strict -o out.safetensors
	expect 0 import-weights out.safetensors $micro --frames 3 -o w2.h5
	message 'temporal_pos_embedding is not there: as of a fresh network'
	expect 0 diff-tensors w.h5 w2.h5
}

@test "other frames and another grid: positions stretched and resized, alike by both programs" {
	init-weights $micro --frames 4 --seed 3 -o w.h5
	export-weights w.h5 -o out.safetensors
	expect 0 init-weights --from w.h5 --frames 7 --input 40 -o w2.h5
	message 'pos_embed resized bicubically; temporal_pos_embedding stretched linearly'
	expect 0 import-weights out.safetensors $micro --frames 7 --input 40 -o w3.h5
	message 'pos_embed: grid of 4 x 4 resized to 5 x 5, bicubic'
	message 'temporal_pos_embedding: 4 frames stretched to 7, linear'
	expect 0 diff-tensors w2.h5 w3.h5
}

@test "one frame is an image; clips are refused where images are read" {
	init-weights $micro --frames 1 --seed 1 -o w.h5
	expect 0 eval-cls --weights w.h5 --data valid.h5
	expect 0 distill-step --init w.h5 $common --method task -o run.h5
	init-weights $micro --frames 2 --seed 1 -o w.h5
	expect 65 eval-cls --weights w.h5 --data valid.h5
	message 'videomamba-micro takes clips of 2 frames of 32 x 32'
	expect 65 distill-step --init w.h5 $common --method wsab --teacher teacher.h5 -o x.h5
	message 'clips of 2 frames'
	for arch in deit-t vim-t vmamba-t pmamba-t; do
		expect 65 init-weights --arch $arch --frames 2 -o x.h5
		message "$arch takes images, not clips"
	done
	expect 64 init-weights $micro --frames 0 -o x.h5
	expect 64 init-weights $micro --frames 1025 -o x.h5
	expect 65 subclone-weights --before teacher.h5 --after other.h5 --student student.h5 -o x.h5
	message 'subcloning into videomamba-micro is not known'
	[ ! -e x.h5 ]
}

@test "an added MLP brings LayerNorms, and is said or refused on export" {
	init-weights $micro --mlp-ratio 2 -o w.h5
	expect 0 export-weights w.h5 -o out.safetensors
	message 'layers.#.mlp.fc1.weight (2) is not part of VideoMamba.s code'
	message 'norm_f.bias (1) is'
	expect 65 export-weights w.h5 --strict -o out2
	expect 0 import-weights out.safetensors $micro --mlp-ratio 2 -q -o w2.h5
	expect 0 diff-tensors w.h5 w2.h5
}

@test "every method trains, online and from a features file alike" {
	methods_alike
	expect 0 distill-step --init student.h5 $common --method rc --teacher teacher.h5 -o run3.h5
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
