#!/usr/bin/env bats
# --part I/N and join-parts: the parts of a job array, joined, are the file of one process.

load tools

setup_file()
{
	export folder
	folder=$(mktemp -d)
	cd "$folder"
	make-shapes --set cls --split train --count 72 -q -o data.h5
	make-shapes --set cls --split test --count 72 -q -o other-data.h5
	pack-images data.h5 --no-labels -q -o unlabelled.h5
	make-shapes --set cls --split train --count 720 --format png -q -o png
	make-shapes --set cls --split train --count 5000 --format cifar -q -o train.bin
	init-weights --arch pmamba-micro-t --depth 2 --seed 1 -q -o student.h5
	init-weights --arch deit-micro-t --depth 2 --seed 2 -q -o teacher.h5
	init-weights --arch deit-micro-t --depth 2 --seed 3 -q -o other.h5
	export OMP_WAIT_POLICY=passive
}

teardown_file()
{
	rm -rf "$folder"
}

setup()
{
	cd "$folder"
	rm -rf run*
}

extract='extract-teacher-features --teacher teacher.h5 --data data.h5 --seed 5 --set batch=16
	--no-provenance'
eval='eval-cls --weights teacher.h5 --data data.h5 --batch 10 -q --no-provenance'
augment='--set augment=shift --set erase=0.5 --set epochs=2'

# parts N COMMAND...: runs it with --part 1/N to N/N -o run-I.h5
parts()
{
	local n=$1 i
	shift
	for ((i = 1; i <= n; i++)); do
		expect 0 "$@" --part "$i/$n" -o "run-$i.h5"
	done
}

# The same for what is written by --predictions
predictions()
{
	local i
	for i in 1 2 3; do
		expect 0 $eval "$@" --part "$i/3" --predictions "run-$i.h5"
		[ -z "$output" ] # a row over a slice would be taken for a result
	done
}

rows()
{
	show-tensors "$1" | awk -F'[\t,]' -v name="$2" '$1 == name { print $3 }'
}

# is_whole WHOLE: parts 1 to 3, joined, have its tensors, its attributes and its layout
is_whole()
{
	expect 0 join-parts -q --no-provenance run-3.h5 run-1.h5 run-2.h5 -o run-joined.h5
	expect 0 diff-tensors "$1" run-joined.h5
	diff <(show-tensors --attributes "$1") <(show-tensors --attributes run-joined.h5)
	diff <(h5dump -pH "$1" | sed 1d) <(h5dump -pH run-joined.h5 | sed 1d)
	expect 0 check-file run-joined.h5
}

# features SETTING...: three parts against one process
features()
{
	expect 0 $extract -q "$@" -o run.h5
	parts 3 $extract -q "$@"
	is_whole run.h5
}

@test "features of several views: batches 1, 2 to 3 and 4 to 5 of 5" {
	features $augment
	[ "$(rows run-1.h5 tokens) $(rows run-2.h5 tokens) $(rows run-3.h5 tokens)" = '16 32 24' ]
	[ "$(rows run-2.h5 view_seed)" = 32 ]
}

@test "features with mixing, whose rows are positions" {
	features $augment --set mixup=0.8 --set cutmix=1 --set shards=2
	[ "$(rows run-1.h5 logits) $(rows run-2.h5 logits) $(rows run-3.h5 logits)" = '16 16 32' ]
	features $augment --set mixup=0.8 --set repeat_aug=3 --set first=3 --set limit=66 --workers 3
}

@test "features larger than what HDF5 keeps in memory" {
	make-shapes --set cls --split train --count 1000 -q -o run-data.h5
	features --data run-data.h5 --set views=2 --set batch=100
}

@test "distillation from joined features gives the weights of the one-process file" {
	local train="distill-step --init student.h5 --data data.h5 --seed 5 --set batch=16 --method wsab
		--no-provenance -q $augment"

	features $augment
	expect 0 $train --features run.h5 -o run-a.h5
	expect 0 $train --features run-joined.h5 -o run-b.h5
	cmp run-a.h5 run-b.h5
}

@test "the printed size and --dry-run are those of the part" {
	expect 0 $extract $augment --part 1/3 --dry-run
	message '16 images, 2 views: '
	[ "$(awk '$1 == "data" { print $2 }' <<<"$output")" = 0.0 ]
	expect 0 $extract $augment --part 2/3 -o run.h5
	message '32 images, 2 views: '
	expect 0 $eval --predictions run.h5 --part 1/3 --dry-run
	[ "$(awk '$1 == "data" { print $2 }' <<<"$output")" = 0.0 ]
	expect 0 pack-images data.h5 --part 1/3 -n
	[ "$(awk 'NR > 1 { n += $2 } END { print n }' <<<"$output")" = 24 ]
}

@test "predictions: the bytes of one process, and its row" {
	$eval --predictions run.h5 | cut -f 1-8 >run.tsv
	predictions
	[ "$(rows run-1.h5 logits) $(rows run-2.h5 logits) $(rows run-3.h5 logits)" = '20 30 22' ]
	is_whole run.h5
	cmp run.h5 run-joined.h5
	eval-cls --score run.h5 --data data.h5 | cut -f 1-8 >run-a.tsv
	join-parts -q run-1.h5 - run-3.h5 -o - <run-2.h5 |
		eval-cls --score - --data data.h5 | cut -f 1-8 >run-b.tsv
	diff run-a.tsv run-b.tsv
	cut -f 3,4,5 run.tsv | diff - <(cut -f 3,4,5 run-b.tsv)
}

@test "predictions of images without labels" {
	$eval --data unlabelled.h5 --predictions run.h5 >run.tsv
	predictions --data unlabelled.h5
	is_whole run.h5
	cmp run.h5 run-joined.h5
}

# images ARGUMENT...: three parts against one process, byte for byte
images()
{
	expect 0 pack-images -q --no-provenance "$@" -o run.h5
	parts 3 pack-images -q --no-provenance "$@"
	is_whole run.h5
	cmp run.h5 run-joined.h5
}

@test "images: the bytes of one process" {
	images png --split train
	images png --store pixels --size 20
	images png --share 1/2 --seed 7
	images png --no-labels
	images train.bin # more names than are written at a time, more pixels than fit HDF5's cache
	images train.bin --store encoded
	images data.h5 other-data.h5
}

@test "images: part 1 writes what is held out, and the joined rest has none of it" {
	expect 0 pack-images -q --no-provenance png --holdout 48 --holdout-output run-held.h5 -o run.h5
	for i in 1 2 3; do
		expect 0 pack-images -q --no-provenance png --holdout 48 \
			--holdout-output "run-held-$i.h5" --part $i/3 -o run-$i.h5
	done
	is_whole run.h5
	cmp run-held.h5 run-held-1.h5
	[ "$(echo run-held-*)" = run-held-1.h5 ]
}

@test "images: damage is counted, and left out, in each part" {
	cp -r png run-png
	first=$(find run-png -name '*.png' | LC_ALL=C sort | head -1)
	head -c 50 "$first" >run-cut
	mv run-cut "$first"
	expect 65 pack-images -q run-png --part 1/3 -o run-1.h5
	message '1 damaged images, 0 allowed'
	parts 3 pack-images -q --no-provenance run-png --skip-damaged 1
	expect 0 pack-images -q --no-provenance run-png --skip-damaged 1 -o run.h5
	is_whole run.h5
	cmp run.h5 run-joined.h5
	[ "$(rows run-joined.h5 labels)" = 719 ]
}

@test "provenance: every part is an input" {
	parts 3 pack-images -q png
	expect 0 join-parts -q run-1.h5 run-2.h5 run-3.h5 -o run-joined.h5
	expect 0 show-tensors --provenance run-joined.h5
	message 'tool = pack-images'
	message 'tool = join-parts'
	[ "$(grep -c 'run-[123].h5.sha256:' <<<"$output")" -eq 3 ]
}

@test "one part of one" {
	expect 0 $eval --predictions run.h5
	expect 0 $eval --predictions run-1.h5 --part 1/1
	expect 65 eval-cls --score run-1.h5 --data data.h5
	expect 0 join-parts -q --no-provenance run-1.h5 -o run-joined.h5
	cmp run.h5 run-joined.h5
}

@test "called wrongly, or more parts than there is work: 64, nothing is written" {
	for part in 0/4 5/4 4 a/b 1/0 -1/2; do
		expect 64 $extract --part=$part -o run.h5
		message 'I/N is wanted'
	done
	expect 64 $extract -q --part 1/6 -o run.h5
	one_line extract-teacher-features
	message 'part 1 of 6: 72 rows, dealt in units of 16, make 5 parts at most'
	expect 64 $eval --part 9/9 --predictions run.h5
	message 'make 8 parts at most'
	expect 64 pack-images data.h5 --part 1/73 -o run.h5
	message 'make 72 parts at most'
	expect 64 $eval --part 1/3
	message '.--part goes with --weights and --predictions'
	expect 64 $eval --part 1/3 --predictions run.h5 --best other.h5
	expect 64 $eval --part 1/3 --predictions run.h5 --per-class run.tsv
	expect 64 eval-cls --score run.h5 --data data.h5 --part 1/3
	expect 64 pack-images data.h5 --part 1/3 -o run.h5 --show run.png
	expect 64 join-parts run-1.h5
	expect 64 join-parts -o run.h5
	expect 64 init-weights --arch deit-micro-t --part 1/3 -o run.h5
	[ -z "$(ls run* 2>/dev/null)" ]
}

# refuses_part FILE COMMAND...
refuses_part()
{
	local file=$1
	shift
	expect 65 "$@"
	one_line "$1"
	message "^$1: $file: is part 2 of 3: join-parts puts them together$"
}

@test "readers refuse a part, tools that look into files do not" {
	local run='--data data.h5 --seed 5 --set batch=16 -q'

	expect 0 $extract -q $augment --part 2/3 -o run-f.h5
	expect 0 $eval --part 2/3 --predictions run-p.h5
	expect 0 pack-images -q data.h5 --part 2/3 -o run-i.h5
	refuses_part run-f.h5 distill-step --init student.h5 $run --method wsab --features run-f.h5 \
		$augment -o run.h5
	refuses_part run-f.h5 calibrate --student student.h5 $run --features run-f.h5 $augment -o run.h5
	refuses_part run-p.h5 eval-cls -q --score run-p.h5 --data data.h5
	refuses_part run-i.h5 eval-cls -q --weights teacher.h5 --data run-i.h5
	refuses_part run-i.h5 ${extract/data.h5/run-i.h5} -q -o run.h5
	refuses_part run-i.h5 distill-step --init student.h5 ${run/data.h5/run-i.h5} --method task -o run.h5
	refuses_part run-i.h5 pack-images run-i.h5 -o run.h5
	expect 0 check-file run-f.h5 run-p.h5 run-i.h5
	expect 0 show-tensors --attributes run-f.h5
	message '^@part = 2/3'
	[ ! -e run.h5 ]
}

# refused STATUS WORDS PART...: one line, nothing written
refused()
{
	local status=$1 words=$2
	shift 2
	expect "$status" join-parts -q "$@" -o run.h5
	one_line join-parts
	message "$words"
	[ ! -e run.h5 ]
}

@test "parts that do not make a whole" {
	predictions
	refused 65 'part 2 of 3 is missing' run-1.h5 run-3.h5
	refused 65 '2 of 3 parts are missing, the first of them is part 1' run-3.h5
	refused 65 'run-2.h5: is part 2 of 3, and so is run-2.h5' run-1.h5 run-2.h5 run-2.h5 run-3.h5
	refused 66 'run-4.h5: No such file' run-1.h5 run-2.h5 run-4.h5
	refused 65 'teacher.h5: holds weights' run-1.h5 run-2.h5 teacher.h5
	expect 0 $eval --predictions run-w.h5
	refused 65 'run-w.h5: is whole, not a part' run-1.h5 run-w.h5
	expect 0 $eval --part 3/4 --predictions run-4.h5
	refused 65 'run-4.h5: is part 3 of 4, others are of 3' run-1.h5 run-2.h5 run-4.h5
	expect 0 pack-images -q data.h5 --part 3/3 -o run-i.h5
	refused 65 'run-i.h5: its attribute kind differs' run-1.h5 run-2.h5 run-i.h5
	head -c "$(($(stat -c %s run-3.h5) / 2))" run-3.h5 >run-cut.h5
	refused 65 'run-cut.h5: damaged or not whole' run-1.h5 run-2.h5 run-cut.h5
	: >run-cut.h5
	refused 65 'run-cut.h5: is empty' run-1.h5 run-2.h5 run-cut.h5
}

@test "parts of different runs" {
	predictions
	for other in '--weights other.h5' '--batch 12' '--set resize=40'; do
		expect 0 $eval $other --part 3/3 --predictions run-o.h5
		refused 65 'run-o.h5: its attribute part_of differs from that of run-1.h5' \
			run-1.h5 run-2.h5 run-o.h5
	done
	expect 0 $eval --data other-data.h5 --part 3/3 --predictions run-o.h5
	refused 65 'run-o.h5: its attribute data differs' run-1.h5 run-2.h5 run-o.h5

	parts 3 $extract -q $augment
	for other in '--teacher other.h5' '--data other-data.h5' '--set batch=8'; do
		expect 0 $extract -q $augment $other --part 3/3 -o run-o.h5
		refused 65 'run-o.h5: its attribute part_of differs' run-1.h5 run-2.h5 run-o.h5
	done
	for other in '--seed 6' '--set erase=0.4' '--set target=prenorm'; do
		expect 0 $extract -q $augment $other --part 3/3 -o run-o.h5
		refused 65 'run-o.h5: its attribute views differs' run-1.h5 run-2.h5 run-o.h5
	done
	expect 0 $extract -q $augment --set epochs=3 --part 3/3 -o run-o.h5
	refused 65 'run-o.h5: tokens is f32 (24,3,17,48), in run-1.h5 it is f32 (16,2,17,48)' \
		run-1.h5 run-2.h5 run-o.h5

	parts 3 pack-images -q png --share 1/2
	for other in '--share 1/2 --seed 1' '--share 2/3' '--share 1/2 --holdout 1 --holdout-output run-h.h5'; do
		expect 0 pack-images -q png $other --part 3/3 -o run-o.h5
		refused 65 'run-o.h5: its attribute part_of differs' run-1.h5 run-2.h5 run-o.h5
	done
	expect 0 pack-images -q png --share 1/2 --store pixels --size 32 --part 3/3 -o run-o.h5
	refused 65 'run-o.h5: holds no encoded, which run-1.h5 has' run-1.h5 run-2.h5 run-o.h5
	expect 0 pack-images -q png --share 1/2 --split valid --part 3/3 -o run-o.h5
	refused 65 'attribute split' run-1.h5 run-2.h5 run-o.h5
}

@test "outputs that cannot be written" {
	parts 3 pack-images -q png
	check_output_failures join-parts -q run-1.h5 run-2.h5 run-3.h5
}
