#!/usr/bin/env bats
# import-weights and export-weights: public checkpoints in, public names out.

load tools

setup()
{
	golden=$BATS_TEST_DIRNAME/golden
	cd "$BATS_TEST_TMPDIR" || return
	deit=(--arch deit-micro-t --classes 10)
	pmamba=(--arch pmamba-micro-t --input 24 --classes 10)
}

same()
{
	expect 0 diff-tensors "$1" "$2"
}

@test "import-weights: basics" {
	check_tool_basics import-weights
	expect 64 import-weights
	message "a checkpoint, --arch and --output are needed"
	expect 64 import-weights a b --arch deit-t -o x.h5
	expect 64 import-weights "$golden/deit-tiny.safetensors" --arch deit-x -o x.h5
	message "no architecture 'deit-x'"
	expect 64 import-weights a --arch deit-t --classes 0 -o x.h5
	check_output_failures import-weights "$golden/deit-tiny.safetensors" "${deit[@]}" --depth 2 -q
}

@test "export-weights: basics" {
	expect 0 init-weights --arch deit-micro-t -o w.h5
	check_tool_basics export-weights
	expect 64 export-weights
	expect 64 export-weights w.h5
	expect 64 export-weights w.h5 --spelling latin -o x
	expect 0 init-weights --arch pmamba-micro-t -o p.h5
	expect 64 export-weights p.h5 --spelling hf -o x
	message "pmamba-micro-t has no names called 'hf'"
	[ ! -e x ]
	check_output_failures export-weights w.h5
}

@test "a checkpoint goes in and comes out with the same bytes of data" {
	expect 0 import-weights "$golden/deit-tiny.safetensors" "${deit[@]}" --depth 2 -o w.h5
	message "names of timm"
	expect 0 check-file w.h5
	expect 0 export-weights w.h5 -o out.safetensors
	# the header differs in its metadata alone
	size=$((48 * 48 * 12 * 2 + 13 * 48 * 2 + 48 * 192 + 48 + 18 * 48 + 2 * 48 + 490))
	cmp <(tail -c $((2 * size)) "$golden/deit-tiny.safetensors") <(tail -c $((2 * size)) out.safetensors)
	expect 0 import-weights out.safetensors "${deit[@]}" --depth 2 -q -o again.h5
	same w.h5 again.h5
	expect 0 show-tensors again.h5
	message "blocks.0.attn.qkv.weight.*bf16"
}

@test "Hugging Face's names: split on the way out, stacked on the way in" {
	for arch in deit-t deit-t-distilled; do
		expect 0 init-weights --arch $arch --input 32 --classes 10 --depth 2 -o w.h5
		expect 0 export-weights w.h5 --spelling hf -o hf.safetensors
		expect 0 import-weights hf.safetensors --arch $arch --input 32 --classes 10 --depth 2 -o again.h5
		message "names of Hugging Face's"
		same w.h5 again.h5
	done
	# the form's own names: a plain network's are not a distilled one's
	expect 65 import-weights hf.safetensors --arch deit-t --input 32 --classes 10 --depth 2 -o x.h5
}

@test "PlainMamba's names: backbone. on the way out, off on the way in; counters stay whole" {
	expect 0 init-weights --arch pmamba-micro-s --mlp-ratio 2 -o w.h5
	for spelling in public own; do
		expect 0 export-weights w.h5 --spelling $spelling -o out.safetensors
		expect 0 import-weights out.safetensors --arch pmamba-micro-s --mlp-ratio 2 -o again.h5
		same w.h5 again.h5
	done
	expect 0 show-tensors again.h5
	message "patch_embed.stem.1.num_batches_tracked.*i64"
}

@test "VMamba's names: its code's and the first release's, both forms" {
	for net in "vmamba-micro 4" "vmamba-t-s1l8 7"; do
		read -r arch depth <<< "$net"
		expect 0 init-weights --arch $arch --depth $depth --classes 10 -o w.h5
		for spelling in public own first; do
			expect 0 export-weights w.h5 --spelling $spelling -o out.safetensors
			expect 0 import-weights out.safetensors --arch $arch --depth $depth --classes 10 -o again.h5
			[ $spelling != first ] || message "names of VMamba's first release"
			[ $spelling = first ] || message "names of VMamba's code"
			same w.h5 again.h5
		done
	done
	expect 64 export-weights w.h5 --spelling timm -o x
	expect 0 import-weights out.safetensors --arch $arch --depth 7 --classes 12 -o c.h5
	message "classifier.head.weight: 12 classes instead of 10: drawn anew"
	expect 65 import-weights out.safetensors --arch $arch --depth 8 --classes 10 -o x.h5
	message "layers.2.blocks.1.self_attention.out_norm.weight is missing"
	expect 65 import-weights out.safetensors --arch vmamba-t-s2l5 --depth 7 --classes 10 -o x.h5
	message "layers.0.blocks.0.self_attention.in_proj.weight is (96, 96), (192, 96) wanted"
	expect 65 import-weights "$golden/deit-tiny.safetensors" --arch vmamba-t -o x.h5
	message "is it another network?"
	expect 65 init-weights --arch vmamba-t --depth 6 -o x.h5
	message "leaves no layer for stage 3"
	[ ! -e x.h5 ] && [ ! -e x ]
}

@test "both forms of .pth; averages are passed over, and said" {
	expect 0 import-weights "$golden/deit-micro.pth" "${deit[@]}" --depth 1 --mlp-ratio 1 -o zip.h5
	message "tensors are those of 'model'"
	expect 0 import-weights "$golden/deit-micro-legacy.pth" "${deit[@]}" --depth 1 --mlp-ratio 1 -o legacy.h5
	message "pth (legacy)"
	same zip.h5 legacy.h5
	expect 65 import-weights "$golden/deit-micro.pth" "${deit[@]}" --ckpt-key args -o x.h5
	message "no dict of tensors called 'args'"
	expect 0 import-weights "$golden/plainmamba-ema.pth" "${pmamba[@]}" --depth 1 --mlp-ratio 0 -o ema.h5
	message "names of PlainMamba's code"
	message "33 tensors passed over"
}

@test "what does not match is listed, and nothing is written" {
	expect 65 import-weights "$golden/deit-tiny.safetensors" --arch deit-micro-t -o x.h5
	message "head.weight is (10, 48), (48, 48) wanted"
	message "blocks.3.mlp.fc2.bias is missing, (48) wanted"
	expect 65 import-weights "$golden/deit-tiny.safetensors" "${deit[@]}" --depth 1 -o x.h5
	message "blocks.1.attn.qkv.weight (144, 48) is not wanted"
	expect 65 import-weights "$golden/deit-tiny.safetensors" --arch deit-s -o x.h5
	expect 65 import-weights "$golden/deit-tiny.safetensors" --arch pmamba-t -o x.h5
	message "is it another network?"
	expect 65 import-weights "$golden/deit-tiny.safetensors" "${deit[@]}" --depth 2 --mlp-ratio 2 -o x.h5
	message "blocks.0.mlp.fc1.weight is (192, 48), (96, 48) wanted"
	[ -z "$(ls)" ]
}

@test "another class count and grid: only when asked, said, and the rest untouched" {
	expect 0 import-weights "$golden/deit-tiny.safetensors" "${deit[@]}" --depth 2 -q -o w.h5
	expect 0 import-weights "$golden/deit-tiny.safetensors" --arch deit-micro-t --depth 2 --classes 12 -o c.h5
	message "head.weight: 12 classes instead of 10: drawn anew"
	expect 1 diff-tensors w.h5 c.h5
	[ "$(grep -c -e head <<< "$output")" -ge 2 ]
	run grep -e blocks -e norm -e pos_embed <<< "$output"
	[ "$status" -eq 1 ]
	expect 0 import-weights "$golden/deit-tiny.safetensors" "${deit[@]}" --depth 2 --input 48 -o g.h5
	message "pos_embed: grid of 4 x 4 resized to 6 x 6, bicubic"
	expect 0 import-weights "$golden/deit-tiny.safetensors" "${deit[@]}" --depth 2 --classes 12 --seed 1 -q -o c1.h5
	expect 1 diff-tensors c.h5 c1.h5
}

@test "missing, damaged and foreign files" {
	expect 66 import-weights none.pth --arch deit-t -o x.h5
	expect 66 export-weights none.h5 -o x
	head -c 100000 "$golden/deit-tiny.safetensors" > cut.safetensors
	expect 65 import-weights cut.safetensors "${deit[@]}" --depth 2 -o x.h5
	message "cut short"
	head -c 50000 "$golden/deit-micro.pth" > cut.pth
	expect 65 import-weights cut.pth "${deit[@]}" -o x.h5
	expect 0 init-weights --arch deit-micro-t -o w.h5
	expect 65 import-weights w.h5 --arch deit-micro-t -o x.h5
	message "HDF5"
	expect 65 export-weights "$golden/deit-tiny.safetensors" -o x
	expect 65 import-weights . --arch deit-t -o x.h5
	expect 65 import-weights /dev/null --arch deit-t -o x.h5
	expect 65 import-weights "$golden/randaugment.tsv" --arch deit-t -o x.h5
	[ ! -e x.h5 ] && [ ! -e x ]
}

@test "a file whose name states another hash is warned of" {
	cp "$golden/deit-micro.pth" deit-00000000.pth
	expect 0 import-weights deit-00000000.pth "${deit[@]}" --depth 1 --mlp-ratio 1 -o x.h5
	message "its SHA-256 begins with"
	hash=$(sha256sum < deit-00000000.pth | head -c 8)
	mv deit-00000000.pth "deit-$hash.pth"
	expect 0 import-weights "deit-$hash.pth" "${deit[@]}" --depth 1 --mlp-ratio 1 -o x.h5
	[ "$(grep -c "its SHA-256 begins with" <<< "$output")" -eq 0 ]
}

@test "pipes, and a value that is not finite" {
	import-weights "$golden/deit-tiny.safetensors" "${deit[@]}" --depth 2 -q -o - |
		export-weights - -o - > piped.safetensors
	expect 0 import-weights "$golden/deit-tiny.safetensors" "${deit[@]}" --depth 2 -q -o w.h5
	expect 0 export-weights w.h5 -o out.safetensors
	cmp piped.safetensors out.safetensors
	expect 0 import-weights out.safetensors "${deit[@]}" --depth 2 --check-finite -q -o x.h5
	# the last two bytes are a bfloat16; ff ff is a NaN
	truncate -s -2 out.safetensors
	printf '\377\377' >> out.safetensors
	expect 3 import-weights out.safetensors "${deit[@]}" --depth 2 --check-finite -q -o x.h5
	message "is not finite"
}
