#!/usr/bin/env bats
# Features against the online teacher, calibration, and programs joined by pipes.

load train_runs

setup_file()
{
	make_runs pmamba-micro-t deit-micro-t
}

setup()
{
	cd "$BATS_FILE_TMPDIR"
	rm -f run* f.h5 c*.h5
}

common='--data data.h5 --seed 5 --no-provenance -q --set batch=16 --set epochs=2'
augment='--set augment=shift --set erase=0.5'
mixed="$augment --set mixup=0.8 --set cutmix=1"

# column FILE N: of the lines of steps
column()
{
	awk -F'\t' -v n="$2" '$1 == "step" { print $n }' "$1"
}

# losses A B: columns loss, task and distill agree to 1e-6
losses()
{
	paste <(cut -f1,5-7 "$1") <(cut -f5-7 "$2") | awk '$1 == "step" {
		n++
		for (i = 2; i <= 4; i++) {
			d = $i - $(i + 3); d = d < 0 ? -d : d
			if (!(d <= 1e-6 * (1 + ($i < 0 ? -$i : $i)))) { print; bad = 1 }
		}
	} END { exit bad || n < 8 }'
}

# against_online METHOD SETTINGS...: eight steps, features and teacher side by side
against_online()
{
	local method=$1
	shift
	rm -f run*
	expect 0 extract-teacher-features --teacher teacher.h5 $common "$@" -o f.h5
	expect 0 distill-step --init student.h5 $common --method "$method" "$@" --teacher teacher.h5 \
		--metrics run1.tsv -o run1.h5
	expect 0 distill-step --init student.h5 $common --method "$method" "$@" --features f.h5 \
		--metrics run2.tsv -o run2.h5
	[ "$(column run1.tsv 2 | wc -l)" -eq 8 ]
	losses run1.tsv run2.tsv
}

@test "features: a view for each epoch" {
	against_online wsab $augment
}

@test "features: one view for all" {
	against_online wsab $augment --set views=1
	expect 0 show-tensors f.h5
	message 'tokens.*72.*1.*17.*48' # the last 8 of 72 fill no batch and are there too
}

@test "features: logits" {
	against_online logits $augment --set views=1
}

@test "features: with mixing, in shards" {
	against_online wsab $mixed --set shards=2
	expect 0 show-tensors f.h5
	message 'tokens.*64.*2.*17.*48' # positions of an epoch, which drops what fills no batch
}

@test "features: with mixing and repeated augmentation" {
	against_online wsab $mixed --set repeat_aug=3 --set views=1
	expect 64 extract-teacher-features --teacher teacher.h5 $common $augment \
		--set repeat_aug=3 -o run.h5
	message 'repeat_aug'
}

@test "features: tokens before the norm" {
	against_online wsab --set target=prenorm $augment
}

@test "features of another run are refused with what differs" {
	refused()
	{
		local words=$1
		shift
		expect 65 distill-step --init student.h5 $common --method wsab --features f.h5 "$@" \
			-o run.h5
		message "f.h5: .*$words"
		[ ! -e run.h5 ]
	}
	expect 0 extract-teacher-features --teacher teacher.h5 $common $augment -o f.h5
	refused seed $augment --seed 6
	refused erase --set augment=shift
	refused shift $augment --set shift=2
	refused 'views.*needs 3' $augment --set epochs=3
	refused target $augment --set target=prenorm
	refused 'views.*needs 4' $augment --steps 13
	expect 0 distill-step --init student.h5 $common --method wsab --features f.h5 $augment \
		--batch 8 -o run.h5 # without mixing a row is an image
	make-shapes --set cls --split train --count 80 -q -o data2.h5
	rm run.h5
	refused 'rows' $augment --data data2.h5
	expect 0 extract-teacher-features --teacher teacher.h5 $common $mixed -o f.h5
	refused 'batch' $mixed --batch 8
	refused 'shards' $mixed --shards 2
	refused 'mixup' $augment --set mixup=0.7 --set cutmix=1
}

@test "features: as many views as the steps begin epochs" {
	expect 0 extract-teacher-features --teacher teacher.h5 $common $augment --set steps=9 -o f.h5
	expect 0 show-tensors f.h5
	message 'tokens.*72,3,17,48'
	expect 0 distill-step --init student.h5 $common --method wsab --features f.h5 $augment \
		--steps 9 -o run.h5
}

@test "features: the size is said before anything is written" {
	expect 0 extract-teacher-features --teacher teacher.h5 ${common/-q/} $augment --dry-run
	message '72 images, 2 views: 0\.[0-9] MiB of features'
	expect 0 extract-teacher-features --teacher teacher.h5 ${common/-q/} $augment -o f.h5
	message '72 images, 2 views: 0\.[0-9] MiB of features'
}

@test "calibrate: features and teacher give one map" {
	expect 0 extract-teacher-features --teacher teacher.h5 $common $augment --set views=1 -o f.h5
	for side in identity frozen; do
		local s="$augment --set views=1 --set lr=3e-3 --set calib_teacher=$side"
		expect 0 calibrate --student student.h5 --teacher teacher.h5 $common $s -o c1.h5
		expect 0 calibrate --student student.h5 --features f.h5 $common $s -o c2.h5
		expect 0 diff-tensors c1.h5 c2.h5 --rtol 1e-4 --atol 1e-6
	done
}

@test "calibrate: a map of other settings or width is refused" {
	expect 0 calibrate --student student.h5 --teacher teacher.h5 $common -o c1.h5
	local run="distill-step --init student.h5 --teacher teacher.h5 $common --method wsab"
	expect 0 $run --calibration c1.h5 --steps 1 -o run.h5
	expect 65 $run --calibration c1.h5 --set calib_form=mlp2 -o run2.h5
	message "c1.h5: .*form 'linear1'.*'mlp2'"
	expect 65 $run --calibration c1.h5 --set calib_share=layer -o run2.h5
	expect 65 $run --calibration c1.h5 --set calib_teacher=frozen -o run2.h5
	expect 65 $run --calibration c1.h5 --set calib_standardise=off -o run2.h5
	expect 65 $run --calibration c1.h5 --set tap=inner -o run2.h5
	message 'map.weight'
	expect 64 $run --set calib_teacher=frozen -o run2.h5
	init-weights --arch deit-micro-s --depth 2 -o wide.h5
	expect 65 ${run/teacher.h5/wide.h5} --calibration c1.h5 -o run2.h5
	expect 64 calibrate --student student.h5 --teacher teacher.h5 $common --set calib=none -o c2.h5
	expect 64 calibrate --student student.h5 --teacher teacher.h5 $common --method wsab -o c2.h5
	[ ! -e run2.h5 ] && [ ! -e c2.h5 ]
}

@test "pipes: subclone, distil, evaluate" {
	local clone='subclone-weights --before teacher.h5 --after other.h5 --student student.h5
		--no-provenance -q'
	local train="distill-step $common --method wsab --teacher teacher.h5"
	$clone -o run-s.h5
	$train --init run-s.h5 -o run-d.h5
	eval-cls --weights run-d.h5 --data valid.h5 | cut -f1-8 >run-files.tsv
	$clone -o - | $train --init - -o - | tee run-piped.h5 |
		eval-cls --weights - --data valid.h5 | cut -f1-8 >run-pipes.tsv
	cmp run-d.h5 run-piped.h5
	diff run-files.tsv run-pipes.tsv
	[ "$(wc -l <run-pipes.tsv)" -eq 2 ]
}

@test "pipes: extract, calibrate" {
	local extract="extract-teacher-features --teacher teacher.h5 $common --set views=1"
	local fit="calibrate --student student.h5 $common --set views=1"
	$extract -o f.h5
	$fit --features f.h5 -o c1.h5
	$extract -o - | $fit --features - -o - >c2.h5
	cmp c1.h5 c2.h5
}

@test "outputs that cannot be written" {
	check_output_failures distill-step --init student.h5 $common --method task --steps 1
	check_output_failures calibrate --student student.h5 --teacher teacher.h5 $common
	mkdir run-d
	: >run-d/file
	expect 73 distill-step --init student.h5 $common --method task --steps 1 \
		--state run-d/file/state.h5 -o run.h5
	expect 73 distill-step --init student.h5 $common --method task --steps 1 \
		--metrics run-d/file/m.tsv -o run.h5
	expect 74 distill-step --init student.h5 $common --method task --steps 1 \
		--metrics /dev/full -o run.h5
	rm -r run-d
	[ ! -e run.h5 ]
}

# --- numbers ---

# A weights file with NaN in one tensor, the rest as it was: damaged FILE TENSOR OUT
damaged()
{
	/usr/bin/python3 - "$@" <<-'END'
	import sys, h5py, shutil
	shutil.copy(sys.argv[1], sys.argv[3])
	with h5py.File(sys.argv[3], 'r+') as f:
	    f[sys.argv[2]][...] = float('nan')
	    if 'content_hash' in f.attrs:
	        del f.attrs['content_hash']
	END
}

@test "NaN in weights: exit 3, the tensor's name, nothing written" {
	/usr/bin/python3 -c 'import h5py' 2>/dev/null || skip "no python3-h5py"
	nan()
	{
		local name=$1
		shift
		expect 3 "$@"
		message "$name"
		[ ! -e run.h5 ] && [ ! -e run-state.h5 ]
	}
	local run="distill-step $common --method wsab --state run-state.h5 -o run.h5"
	damaged student.h5 layers.1.mamba.D run-bad.h5
	nan layers.1.mamba.D $run --init run-bad.h5 --teacher teacher.h5
	nan layers.1.mamba.D eval-cls --weights run-bad.h5 --data valid.h5
	damaged student.h5 patch_embed.stem.1.running_var run-bad.h5
	nan patch_embed.stem.1.running_var $run --init run-bad.h5 --teacher teacher.h5
	damaged teacher.h5 blocks.0.attn.proj.bias run-bad.h5
	nan blocks.0.attn.proj.bias $run --init student.h5 --teacher run-bad.h5
	nan blocks.0.attn.proj.bias extract-teacher-features --teacher run-bad.h5 $common -o run.h5
	nan blocks.0.attn.proj.bias calibrate --student student.h5 --teacher run-bad.h5 $common \
		-o run.h5
	nan blocks.0.attn.proj.bias subclone-weights --before teacher.h5 --after run-bad.h5 \
		--student student.h5 -o run.h5
	expect 0 calibrate --student student.h5 --teacher teacher.h5 $common -o c1.h5
	damaged c1.h5 map.weight run-bad.h5
	nan map.weight $run --init student.h5 --teacher teacher.h5 --calibration run-bad.h5
	expect 0 extract-teacher-features --teacher teacher.h5 $common -o f.h5
	damaged f.h5 tokens run-bad.h5
	nan 'teacher tokens' $run --init student.h5 --features run-bad.h5
}
