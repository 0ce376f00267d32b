#!/usr/bin/env bats
# ViM through the programs: public checkpoints in and out, subcloning, calibration, every method.

load train_runs

setup_file()
{
	make_runs vim-micro-t deit-micro-t 3
}

setup()
{
	golden=$BATS_TEST_DIRNAME/golden
	cd "$BATS_FILE_TMPDIR"
	rm -f run* f.h5 c*.h5 w*.h5 x.h5 out*
}

vim=(--arch vim-micro-t --input 24 --classes 10 --depth 1 --mlp-ratio 0)
common='--data data.h5 --seed 5 --no-provenance -q --set batch=16 --set epochs=1'

@test "a checkpoint as the project's training saves it: weights, or their averages" {
	expect 0 import-weights "$golden/vim-micro.pth" "${vim[@]}" -o w.h5
	message "names of Vim's code"
	expect 0 import-weights "$golden/vim-micro.pth" --ckpt-key model_ema "${vim[@]}" -q -o w2.h5
	expect 1 diff-tensors w.h5 w2.h5
	expect 0 show-tensors w.h5
	message 'layers.0.mixer.dt_proj_b.bias.*bf16.*64$'
	message 'pos_embed.*1,10,32$'
	expect 64 import-weights "$golden/vim-micro.pth" "${vim[@]}" --norm batch -o x.h5
	expect 65 import-weights "$golden/vim-micro.pth" "${vim[@]}" --norm layer -o x.h5
	message 'norm_f.bias is missing, (32) wanted'
	expect 65 import-weights "$golden/vim-micro.pth" --arch pmamba-micro-t --depth 1 -o x.h5
	[ ! -e x.h5 ]
}

@test "out and in again: the same tensors" {
	expect 0 import-weights "$golden/vim-micro.pth" "${vim[@]}" -q -o w.h5
	for spelling in public own; do
		expect 0 export-weights w.h5 --spelling $spelling --strict -o out.safetensors
		[ -z "$output" ]
		expect 0 import-weights out.safetensors "${vim[@]}" -q -o w2.h5
		expect 0 diff-tensors w.h5 w2.h5
	done
	expect 64 export-weights w.h5 --spelling hf -o out2
}

@test "positions of another grid: the class token's row stays, in the new middle" {
	expect 0 import-weights "$golden/vim-micro.pth" "${vim[@]}" -q -o w.h5
	expect 0 import-weights "$golden/vim-micro.pth" "${vim[@]}" --input 40 -o w2.h5
	message "pos_embed: grid of 3 x 3 resized to 5 x 5, bicubic"
	expect 0 init-weights --from w.h5 --input 40 -o w3.h5
	message "24 tensors of w.h5, 0 fresh: pos_embed resized bicubically"
	expect 1 diff-tensors w2.h5 w3.h5 # bfloat16 stays so in one; resized alike
	if grep -e pos_embed <<<"$output"; then return 1; fi
	expect 0 import-weights "$golden/vim-micro.pth" "${vim[@]}" --classes 7 -o w4.h5
	message "head.weight: 7 classes instead of 10: drawn anew"
}

@test "what is added to the public network is said, or refused" {
	expect 0 export-weights student.h5 -o out.safetensors
	message 'layers.#.mlp.fc1.weight (3) is not part of Vim.s code'
	message 'layers.#.norm.bias (3) is'
	message 'norm_f.bias (1) is'
	[ "${#lines[@]}" -eq 8 ]
	expect 65 export-weights student.h5 --strict -o out2
	message 'student.h5: 22 tensors are not part of Vim.s code.*--strict'
	[ ! -e out2 ]
	expect 0 import-weights out.safetensors --arch vim-micro-t --depth 3 -q -o w.h5
	expect 0 diff-tensors student.h5 w.h5
	expect 0 init-weights --arch pmamba-micro-t --depth 2 -o w2.h5
	expect 0 export-weights w2.h5 -o out3
	message 'backbone.layers.#.mlp.fc2.bias (2) is not part of PlainMamba.s code'
	expect 65 export-weights w2.h5 --strict -o out4
	expect 0 export-weights teacher.h5 --strict -o out5
	[ -z "$output" ]
}

@test "norms follow the added MLP unless told" {
	expect 0 init-weights --arch vim-t --mlp-ratio 4 --depth 1 -o w.h5
	expect 0 show-tensors w.h5
	message 'norm_f.bias'
	expect 0 init-weights --arch vim-t --mlp-ratio 4 --norm rms --depth 1 -o w.h5
	expect 0 show-tensors w.h5
	if grep -e 'norm_f.bias' <<<"$output"; then return 1; fi
	expect 0 init-weights --arch vim-micro-t --mlp-ratio 0 --norm layer -o w.h5
	expect 0 show-tensors w.h5
	message 'norm_f.bias'
}

@test "subcloning from a narrower net's shape and depth, and what stays fresh is said" {
	local clone='subclone-weights --before teacher.h5 --after other.h5'
	expect 0 $clone --student student.h5 -o run.h5
	message 'norms\|2 layers'
	expect 0 init-weights --arch vim-micro-b --depth 3 -o w.h5
	expect 0 $clone --student w.h5 -o run2.h5
	message 'the student is wider than the teacher'
	expect 0 eval-cls --weights run.h5 --data valid.h5
	expect 65 subclone-weights --before student.h5 --after student.h5 --student student.h5 -o run3.h5
	message 'none'
}

@test "every method trains, online and from a features file alike" {
	methods_alike
	expect 0 distill-step --init student.h5 $common --method task -o run1.h5
	expect 65 distill-step --init student.h5 $common --method rc --teacher teacher.h5 -o run3.h5
	message 'rc compares features as they are: the teacher is 48 wide, the student 32'
	[ ! -e run3.h5 ]
	init-weights --arch vim-micro-s --depth 3 --seed 1 -o w.h5
	expect 0 distill-step --init w.h5 $common --method rc --teacher teacher.h5 -o run3.h5
}

@test "calibrated first; the teacher wider, narrower, of another grid" {
	for pair in 'deit-micro-s vim-micro-t' 'deit-micro-t vim-micro-b' 'deit-micro-s pmamba-micro-t'; do
		set -- $pair
		init-weights --arch "$1" --depth 2 --seed 2 -o w.h5
		init-weights --arch "$2" --depth 3 --seed 2 -o w2.h5
		expect 0 subclone-weights --before w.h5 --after w.h5 --student w2.h5 -o run.h5
		expect 0 calibrate --student run.h5 --teacher w.h5 $common -o c.h5
		expect 0 distill-step --init run.h5 --teacher w.h5 --calibration c.h5 $common \
			--method wsab -o run2.h5
		expect 0 eval-cls --weights run2.h5 --data valid.h5
	done
	for patch in 4 16; do
		init-weights --arch deit-micro-t --depth 2 --patch $patch --seed 2 -o w.h5
		expect 0 distill-step --init student.h5 --teacher w.h5 $common --method wsab -o run.h5
	done
	expect 0 calibrate --student student.h5 --teacher teacher.h5 $common \
		--set calib_teacher=frozen -o c.h5
}

@test "cut anywhere, and with any number of threads: the same bytes" {
	same_bytes
}
