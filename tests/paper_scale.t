#!/usr/bin/env bats
# SCALE=paper as it stands, on a CPU: every run of Table 2 takes one step at its true size, with its own
# recipe, from weights of the published shapes and a few images in the published formats. `make
# test-paper` runs it: half an hour of two cores, 12 GB of $TMPDIR.

load tools

setup_file()
{
	[ -n "${TM_LONG:-}" ] || return 0
	export work root=$BATS_TEST_DIRNAME/..
	work=$(mktemp -d)
	cd "$root"
	find . -path ./build -prune -o -name config.mk -o -name '*.mk' -print0 | xargs -0 cp --parents -t "$work"
	cp -r Makefile VERSION pipelines "$work"
	mkdir -p "$work/data/raw" "$work/build/bin" "$work/build/real"
	cp data/{verify-data,imagenet100.txt,imagenet1k.txt} "$work/data"
	# the made-up files have other hashes than the published ones
	awk -F'\t' -v OFS='\t' '/^#/ || $1 == "name" { print; next } { $3 = $4 = "-"; print }' data/SOURCES \
		>"$work/data/SOURCES"
	cd "$work"
	for tool in "$TM_BIN"/*; do
		ln -s "$(realpath "$tool")" build/real
		ln -s "$(realpath "$tool")" "build/bin/${tool##*/}"
	done
	wrappers
	made_up_data
	touch -h -d 2001-01-01 build/bin/* build/bin
}

# One step of two images; what is not needed again goes. Steps that were taken are noted in `log`.
wrappers()
{
	rm build/bin/{distill-step,calibrate,eval-cls}
	cat >build/bin/distill-step <<-'END'
		#!/bin/bash
		set -eu
		state= ; arguments=("$@")
		for ((i = 0; i < $#; i++)); do
			[ "${arguments[i]}" != --state ] || state=${arguments[i + 1]}
			case ${WITHOUT_VALID:-}${arguments[i]} in
			1--valid | 1--best) unset "arguments[i]" "arguments[i+1]"; ((++i)) ;;
			esac
		done
		"${0%/bin/*}/real/distill-step" "${arguments[@]}" -q --set batch=2 --set eval_batch=5 --steps 1
		rm "$state"
		echo "$*" >>log
	END
	cat >build/bin/calibrate <<-'END'
		#!/bin/bash
		exec "${0%/bin/*}/real/calibrate" "$@" -q --set batch=2 --set limit=6
	END
	cat >build/bin/eval-cls <<-'END'
		#!/bin/bash
		exec "${0%/bin/*}/real/eval-cls" "$@" -q --batch 5
	END
	chmod +x build/bin/{distill-step,calibrate,eval-cls}
	touch log
}

# CIFAR-100's records, ImageNet's archives, DeiT's checkpoints
made_up_data()
{
	local size long class i
	mkdir data/raw/cifar-100-binary
	make-shapes -q --split train --count 300 --format cifar -o data/raw/cifar-100-binary/train.bin
	make-shapes -q --split test --count 10 --format cifar -o data/raw/cifar-100-binary/test.bin
	rm -f data/raw/cifar-100-binary/*.txt
	for size in t:tiny:a1311bcf s:small:cd65a155 b:base:b5f2ef4d; do
		IFS=: read -r size long hash <<<"$size"
		init-weights -q --arch "deit-$size" --classes 1000 -o w.h5
		export-weights -q w.h5 -o "data/raw/deit_${long}_patch16_224-$hash.pth"
	done
	make-shapes -q --split train --count 96 --format jpeg -o pictures
	mapfile -t pictures < <(find pictures -type f | sort)
	mkdir train val
	i=0
	while read -r class; do
		mkdir "train/$class"
		cp "${pictures[i % 96]}" "train/$class/${class}_1.JPEG"
		cp "${pictures[(i + 7) % 96]}" "train/$class/${class}_2.JPEG"
		tar -cf "$class.tar" -C "train/$class" .
		printf -v name 'ILSVRC2012_val_%08d.JPEG' $((++i))
		cp "${pictures[(i + 50) % 96]}" "val/$name"
		echo "$name $class" >>data/raw/ILSVRC2012_val_labels.txt
	done < <(grep -v '^#' data/imagenet1k.txt)
	tar -cf data/raw/ILSVRC2012_img_train.tar n*.tar
	tar -cf data/raw/ILSVRC2012_img_val.tar -C val .
	rm -r n*.tar train val pictures w.h5
}

teardown_file()
{
	[ -z "${work:-}" ] || rm -rf "$work"
}

setup()
{
	[ -n "${TM_LONG:-}" ] || skip "slow: make test-paper runs it"
	cd "$work"
	unset MAKEFLAGS MFLAGS MAKELEVEL STAGE_THREADS CONFIG
}

run_make()
{
	run timeout 3000 make NO_DEPS=1 SCALE=paper "$@"
	if [ "$status" -ne 0 ]; then
		echo "$output" | tail -40
		return 1
	fi
}

# Every run of one size on CIFAR-100, to its row of the table: rows SIZE TRAININGS ARM...
rows()
{
	local size=$1 trainings=$2 arm row
	shift 2
	: >log
	run_make table2 SCALE_SETS=cifar100 SETS_vim-t=cifar100 SIZES=$size
	[ "$(wc -l <log)" -eq "$trainings" ]
	for arm; do
		row=build/results/paper/table2/rows/$arm.cifar100.0.tsv
		awk -F'\t' -v arm=$arm 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
			$at["name"] != arm || !($at["loss"] > 0 && $at["loss"] < 20) || $at["n"] != 10 { exit 1 }
			END { exit NR != 2 }' "$row"
	done
	rm -r build/runs build/results/paper/table2/rows build/results/paper/times.tsv
}

@test "T: DeiT from the published weights, fine-tuned; PMamba and ViM by every arm" {
	rows t 8 teacher-t scratch-t trans-t subcloned-t wsab-t scratch-vim-t trans-vim-t
	grep -q -- '--init build/runs/paper/cifar100/teacher-t/init.h5.*recipes/table2/teacher.conf' log
	grep -q -- 'paper-student-vim-t.conf --recipe pipelines/recipes/table2/trans.conf' log
}

@test "S: the same" {
	rows s 8 teacher-s scratch-s trans-s subcloned-s wsab-s scratch-vim-s trans-vim-s
}

@test "B, and VMamba with its teacher" {
	rows b 8 teacher-b scratch-b trans-b subcloned-b wsab-b scratch-vmamba trans-vmamba
}

@test "ImageNet and its subset, from their archives" {
	local set
	export WITHOUT_VALID=1
	: >log
	for set in imagenet100 imagenet; do
		run_make build/runs/paper/$set/trans-t/0/last.h5
		expect 0 check-file build/data/paper/$set/train.h5 build/data/paper/$set/share-75.h5
		[ ! -e build/data/paper/$set/train.h5.parts ]
	done
	[[ "$(h5ls build/data/paper/imagenet/train.h5/labels)" == *"{2000}"* ]]
	[[ "$(h5ls build/data/paper/imagenet100/train.h5/labels)" == *"{200}"* ]]
	# the teacher of ImageNet-1K is as published: its probe, then the student; the subset's is fine-tuned
	[ "$(grep -c 'runs/paper/imagenet/' log)" -eq 2 ]
	[ "$(grep -c 'runs/paper/imagenet100/' log)" -eq 3 ]
	run_make build/data/paper/imagenet100/test.h5
}
