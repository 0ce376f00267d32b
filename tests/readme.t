#!/usr/bin/env bats
# The commands of README.md and pipelines/own-images.md work as printed, on small images and with
# small networks; what the README names exists.

setup()
{
	cd "$BATS_TEST_DIRNAME/.."
	checkout=$PWD
	work=$(mktemp -d)
	PATH=$(realpath "${TM_BIN:-build/bin}"):$PATH
}

teardown()
{
	rm -rf "$work"
}

# The n-th ```sh block of a page, with networks and trainings of a size for a test.
commands()
{
	awk -v n="$2" '/^```sh$/ { block++; inside = 1; next } /^```$/ { inside = 0 }
		inside && block == n' "$1" |
		sed -e 's/deit-t/deit-micro-t/; s/pmamba-t/pmamba-micro-t/; s/--input 64 --patch 8 //' \
			-e 's/--epochs [0-9]*/--epochs 1/; s/--holdout 200/--holdout 48/' \
			-e '/^make all$/d; /^export PATH=/d'
}

need()
{
	for tool; do
		command -v "$tool" >/dev/null || skip "no $tool"
	done
}

small_world()
{
	need make-shapes init-weights distill-step
	cd "$work"
	make-shapes --set cls --split train --count 192 -o train.h5
	make-shapes --set cls --split test --count 96 -o test.h5
	init-weights --arch deit-micro-t -o teacher.h5
	init-weights --arch pmamba-micro-t -o fresh.h5
	distill-step --method task --optimizer sgd --set lr=1e-3 --epochs 1 --init teacher.h5 \
		--data train.h5 --state probe.state -o probe.h5
}

@test "the pipes of the README give what files give" {
	need subclone-weights distill-step eval-cls extract-teacher-features calibrate
	small_world
	subclone-weights --before teacher.h5 --after probe.h5 --student fresh.h5 -o student.h5
	distill-step --method wsab --epochs 1 --init student.h5 --teacher teacher.h5 --data train.h5 -o last.h5
	eval-cls --weights last.h5 --data test.h5 >by-files.tsv
	extract-teacher-features --teacher teacher.h5 --data train.h5 -o features.h5
	calibrate --student student.h5 --features features.h5 --data train.h5 -o map-by-files.h5

	commands "$checkout/README.md" 1 >script
	[ "$(wc -l <script)" -ge 6 ]
	bash -eu -o pipefail script >by-pipes.tsv
	cat by-pipes.tsv
	# the last column is the time it took
	diff <(sed 's/\t[^\t]*$//' by-files.tsv) <(sed 's/\t[^\t]*$//' by-pipes.tsv)
	diff-tensors map.h5 map-by-files.h5
}

@test "the commands for images of one's own" {
	need pack-images make-shapes init-weights distill-step subclone-weights calibrate eval-cls
	cd "$work"
	mkdir photos
	make-shapes --set cls --split train --count 240 --format png -o photos/train
	make-shapes --set cls --split test --count 480 --format png -o photos/test
	commands "$checkout/pipelines/own-images.md" 1 >script
	[ "$(wc -l <script)" -ge 30 ]
	bash -eu -o pipefail script >rows.tsv
	cat rows.tsv
	grep -q teacher rows.tsv
	grep -q student rows.tsv
	[ -s metrics.tsv ]
}

@test "make targets that the README names exist" {
	for target in $(grep -ohE '`make [a-z][a-z0-9-]*|`(table|figure)[0-9]`' README.md CONTRIBUTING.md |
		sed 's/.*make //; s/`//g' | sort -u); do
		if ! grep -qE "^([a-z0-9-]+ )*$target( [a-z0-9-]+)*:" Makefile pipelines/*.mk pipelines/*/*.mk lib/*/*.mk tests/*.mk tests/*/*.mk; then
			echo "no target $target"
			return 1
		fi
	done
}

@test "files that the pages name exist" {
	for page in $(git ls-files '*.md'); do
		for file in $(grep -oE '\]\([^)#:]+\)' "$page" | sed 's/^](//; s/)$//'); do
			if ! [ -e "$(dirname "$page")/$file" ]; then
				echo "$page: no $file"
				return 1
			fi
		done
	done
	for file in $(grep -oE '`(tools|kernels|lib|pipelines|data|results|tests)/[^` ]*`' README.md | tr -d '`'); do
		[ -e "$file" ] || [ "$file" = results/ ] || {
			echo "README.md: no $file"
			return 1
		}
	done
}

@test "every package that make deps installs has its line in the README" {
	for package in $(awk -F'\t' '$1 == "build" || $1 == "test" { print $2 }' pipelines/make/deps); do
		grep -qE "^\|.*\<$package\>.*\|.+\|" README.md || {
			echo "$package"
			return 1
		}
	done
}

@test "every folder of sources has a README of a screen" {
	for folder in $(git ls-files '*.c' '*.h' '*.mk' '*.t' '*.sh' | xargs -n1 dirname | sort -u); do
		case $folder in
		. | */golden | */paper | */tables | */rules | */scales | tests/fuzz) continue ;; # data of their parent
		esac
		[ -e "$folder/README.md" ] || {
			echo "$folder has none"
			return 1
		}
		[ "$(wc -l <"$folder/README.md")" -le 70 ] || {
			echo "$folder: longer than a screen"
			return 1
		}
	done
}
