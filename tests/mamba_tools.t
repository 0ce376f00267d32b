#!/usr/bin/env bats
# The language model through the tools: made, published and taken back; nothing that takes pictures
# takes it.

load tools

setup_file()
{
	cd "$BATS_FILE_TMPDIR"
	make-shapes --set cls --split train --count 48 -q -o data.h5
	init-weights --arch mamba-micro --seed 1 --no-provenance -o a.h5
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
	rm -f run*
}

@test "its parameters under the public names" {
	expect 0 show-tensors a.h5
	message 'backbone.embedding.weight.*96,48$'
	message 'backbone.layers.3.mixer.x_proj.weight.*35,96$'
	expect 0 init-weights --arch mamba-130m --depth 1 --classes 100 -o run.h5
	expect 0 show-tensors run.h5
	message 'backbone.embedding.weight.*100,768$'
	expect 0 init-weights --list
	message $'^mamba-2.8b\t2768345600\t'
}

@test "published and taken back: the same bytes, in either project's names" {
	for names in public hf; do
		expect 0 export-weights a.h5 --spelling "$names" --strict -o run.safetensors
		expect 0 import-weights run.safetensors --arch mamba-micro --no-provenance -o run.h5
		cmp a.h5 run.h5
	done
	grep -aq 'backbone.embeddings.weight' run.safetensors
	if grep -aq 'lm_head' run.safetensors; then return 1; fi
	expect 64 export-weights a.h5 --spelling timm -o run.safetensors
}

@test "another size: what differs is listed" {
	export-weights a.h5 -q -o run.safetensors
	expect 65 import-weights run.safetensors --arch mamba-micro --classes 80 -o run.h5
	message 'backbone.embedding.weight is (96, 48), (80, 48) wanted'
	expect 65 import-weights run.safetensors --arch mamba-micro --depth 3 -o run.h5
	message 'backbone.layers.3.norm.weight .*not wanted'
	expect 65 import-weights run.safetensors --arch mamba-micro --input 32 -o run.h5
	message 'reads tokens'
	[ ! -e run.h5 ]
}

@test "tools for pictures refuse it" {
	init-weights --arch mamba-micro --classes 48 -q -o runb.h5
	expect 65 eval-cls --weights runb.h5 --data data.h5
	message 'mamba-micro reads tokens, not pictures'
	expect 65 distill-step --init runb.h5 --data data.h5 --method task --steps 1 --state run.state -o run.h5
	message 'mamba-micro reads tokens, not pictures'
	expect 65 calibrate --student runb.h5 --teacher runb.h5 --data data.h5 -o run.h5
	message 'mamba-micro reads tokens, not pictures'
	expect 65 extract-teacher-features --teacher a.h5 --data data.h5 -o run.h5
	message 'mamba-micro reads tokens, not pictures'
	expect 65 init-weights --arch mamba-micro --mlp-ratio 4 -o run.h5
	[ ! -e run.h5 ]
}
