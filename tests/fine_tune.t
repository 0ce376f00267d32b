#!/usr/bin/env bats
# Pre-trained on one set, fine-tuned on another number of classes: the body is kept, the head is drawn
# anew. The route of the paper scale (published weights, then CIFAR-100), at the smallest size.

load tools

setup() {
	work=$(mktemp -d)
	cd "$work"
}

teardown() {
	cd /
	rm -rf "$work"
}

@test "48 classes, then 6 of another set" {
	cat > few.conf <<-'END'
		method  = task
		batch   = 32
		lr      = 2e-3
		augment = shift
	END
	expect 0 make-shapes --split train --count 640 -o first.h5
	expect 0 make-shapes --split train --count 1500 --format png --seed 7 -o second
	printf '%s\n' ring-red ring-green ring-blue circle-red circle-green circle-blue > six.txt
	expect 0 pack-images second --classes six.txt -o second.h5

	expect 0 init-weights --arch deit-micro-t -o fresh.h5
	expect 0 distill-step --init fresh.h5 --data first.h5 --recipe few.conf --steps 20 -o trained.h5
	expect 0 export-weights trained.h5 -o trained.safetensors
	# without being told, another count of classes is refused
	expect 65 distill-step --init trained.h5 --data second.h5 --recipe few.conf --steps 5 -o no.h5
	message "6 classes"

	expect 0 import-weights trained.safetensors --arch deit-micro-t --classes 6 --seed 3 -o start.h5
	expect 1 diff-tensors trained.h5 start.h5
	[ "$(grep -c 'head\.' <<< "$output")" -ge 2 ]
	[ "$(grep -c 'blocks\.' <<< "$output")" -eq 0 ]
	expect 0 import-weights trained.safetensors --arch deit-micro-t --classes 6 --seed 4 -o other.h5
	expect 1 diff-tensors start.h5 other.h5

	expect 0 distill-step --init start.h5 --data second.h5 --recipe few.conf --epochs 8 \
		--metrics m.tsv -o tuned.h5
	expect 0 eval-cls --weights tuned.h5 --data second.h5 --json
	[ ! -e no.h5 ]
	first=$(awk -F'\t' '$1 == "epoch" {print $5; exit}' m.tsv)
	last=$(awk -F'\t' '$1 == "epoch" {l = $5} END {print l}' m.tsv)
	awk -v a="$first" -v b="$last" 'BEGIN {exit !(b < a)}'
}
