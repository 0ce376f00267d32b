#!/usr/bin/env bats
# init-weights: what it lists, makes and takes from other weights; training on for other classes.

load tools

setup_file()
{
	cd "$BATS_FILE_TMPDIR"
	make-shapes --set cls --split train --count 480 -q -o data.h5
	init-weights --arch pmamba-micro-t --depth 2 --seed 1 -o a.h5
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
	rm -f run*
}

@test "the list names every network with parameters and input" {
	expect 0 init-weights --list
	message $'^arch\tparameters\tinput'
	message $'^deit-t\t5717416\t224\t'
	message $'^deit-b-distilled\t87338192\t224\t'
	message $'^pmamba-b\t49604452\t224\t'
	message $'^pmamba-micro-t\t'
	message $'^vmamba-t\t38375396\t224\t4\t3136\t100\t128\t15\t0$'
	message $'^vmamba-t-s2l5\t30705832\t224\t'
	message $'^videomamba-m\t74217448\t224\t16\t197\t1000\t576\t32\t0$'
	[ "${#lines[@]}" -eq 56 ]
	expect 0 init-weights --list --input 32 --classes 100 --mlp-ratio 4
	message $'^pmamba-t\t7688356\t32\t'
	expect 0 init-weights --list --frames 12
	message $'^videomamba-m\t74224360\t224\t16\t2353\t'
	message $'^deit-t\t5717416\t224\t16\t197\t'
	expect 0 init-weights --list --json
	message '^{"arch": *"deit-t", *"parameters": *5717416,'
}

@test "changed defaults" {
	expect 0 init-weights --arch pmamba-t --input 64 --patch 8 --classes 7 --mlp-ratio 4 -o run.h5
	expect 0 show-tensors run.h5
	message 'pos_embed.*1,64,192$'
	message 'patch_embed.projection.weight.*192,64,4,4$'
	message 'head.fc.weight.*7,192$'
	message 'layers.11.mlp.fc1.weight.*768,192$'
}

@test "the seed decides, and nothing else" {
	for i in 1 2; do
		init-weights --arch deit-micro-s --seed 4 --no-provenance -o "run$i.h5"
	done
	cmp run1.h5 run2.h5
	init-weights --arch deit-micro-s --seed 5 --no-provenance -o run3.h5
	expect 1 diff-tensors run1.h5 run3.h5
}

@test "bbar: the zero-order hold is the network's, and gives other logits from the same weights" {
	init-weights --arch pmamba-micro-t --seed 3 --no-provenance -q -o run1.h5
	init-weights --arch pmamba-micro-t --seed 3 --no-provenance -q --bbar zoh -o run2.h5
	[ "$(show-tensors -a run1.h5 | grep content_hash)" = "$(show-tensors -a run2.h5 | grep content_hash)" ]
	show-tensors -a run2.h5 | grep -q '"zoh":1'
	for i in 1 2; do
		eval-cls --weights "run$i.h5" --data data.h5 --device cpu -q --predictions "p$i.h5" > "row$i.tsv"
	done
	expect 1 diff-tensors p1.h5 p2.h5
	init-weights --arch deit-micro-t --bbar zoh -q -o run3.h5
	show-tensors -a run3.h5 | grep -q '"zoh":0'
}

@test "refusals" {
	expect 64 init-weights --arch deit-x -o run.h5
	message "no architecture 'deit-x': one of deit-t, "
	expect 64 init-weights -o run.h5
	expect 64 init-weights --arch deit-t
	expect 64 init-weights --arch deit-t --classes 0 -o run.h5
	expect 64 init-weights --arch deit-t --classes 1e3 -o run.h5
	expect 64 init-weights --arch deit-t --param-order other -o run.h5
	expect 64 init-weights --arch deit-t --bbar other -o run.h5
	expect 65 init-weights --arch deit-t --input 100 -o run.h5
	message 'no multiple of the patch'
	expect 66 init-weights --from missing.h5 -o run.h5
	expect 65 init-weights --from data.h5 -o run.h5
	expect 65 init-weights --from a.h5 --arch deit-micro-t -o run.h5
	message 'a.h5: .*another family'
	[ ! -e run.h5 ]
}

@test "from: equal tensors come over, the head is drawn anew" {
	expect 0 init-weights --from a.h5 --classes 6 --seed 2 -o run.h5
	message '57 tensors of a.h5, 2 fresh: head.fc.weight (6, 32) was (48, 32); head.fc.bias (6) was (48)'
	expect 1 diff-tensors a.h5 run.h5
	[ "$(grep -c head.fc <<<"$output")" -ge 2 ]
	if grep -E 'layers|stem|pos|ln1' <<<"$output"; then return 1; fi
	init-weights --arch pmamba-micro-t --depth 2 --classes 6 --seed 2 -o run2.h5
	expect 1 diff-tensors run.h5 run2.h5
	if grep head.fc <<<"$output"; then return 1; fi
	expect 0 init-weights --from a.h5 --no-provenance -o run3.h5
	expect 0 diff-tensors a.h5 run3.h5
}

@test "from: another depth, another grid" {
	expect 0 init-weights --from a.h5 --depth 3 -o run.h5
	message '59 tensors of a.h5, 20 fresh: layers.2.norm.weight is not there'
	expect 0 init-weights --from a.h5 --input 64 -o run.h5
	message '59 tensors of a.h5, 0 fresh: pos_embed resized bicubically'
	expect 0 init-weights --from a.h5 --arch pmamba-micro-s --depth 2 -o run.h5
	message 'tensors of a.h5, .* fresh: pos_embed (1, 16, 48) was (1, 16, 32)'
}

@test "from: standard input" {
	init-weights --from a.h5 --classes 6 --no-provenance -o run1.h5
	init-weights --from - --classes 6 --no-provenance -o - <a.h5 >run2.h5
	cmp run1.h5 run2.h5
}

@test "training on for another number of classes" {
	printf '%s\n' circle-red circle-green square-blue ring-white star-red cross-cyan |
		grep -v star >classes.txt
	expect 0 pack-images data.h5 --classes classes.txt -q -o few.h5
	local run='--method task --batch 16 --set lr=3e-3 -q'
	expect 0 distill-step --init a.h5 --data data.h5 --epochs 1 $run -o run1.h5
	expect 65 distill-step --init run1.h5 --data few.h5 --epochs 1 $run -o run2.h5
	message 'its head is (48, 32), (5, 32) wanted for the 5 classes'
	expect 0 init-weights --from run1.h5 --classes 5 -o run2.h5
	expect 0 distill-step --init run2.h5 --data few.h5 --epochs 4 $run -o run3.h5
	expect 0 eval-cls --weights run3.h5 --data few.h5 --min 25
	expect 65 eval-cls --weights run1.h5 --data few.h5
	message '5'
}
