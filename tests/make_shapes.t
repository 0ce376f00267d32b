#!/usr/bin/env bats
# make-shapes: every format holds the same pictures; SHA-256 of the sets, from an independent program.

setup() {
	bin=${TM_BIN:-$BATS_TEST_DIRNAME/../build/bin}
	make=$bin/make-shapes
	work=$(mktemp -d)
	cd "$work"
}

teardown() {
	cd /
	rm -rf "$work"
}

# The first python3 that has these modules, or the test is skipped.
python_with() {
	for python in python3 /usr/bin/python3; do
		"$python" -c "import $1" 2> /dev/null && return 0
	done
	skip "no python3 with $1"
}

sha() {
	sha256sum "$1" | cut -d ' ' -f 1
}

@test "records of CIFAR-100: the three sets, byte for byte" {
	for part in train:f543d94999cbef91e0e6eb60fb5a5454a5fb4230e42edf1d2498d9de0615e430 \
		valid:344445a9118ce7560da5c4f12b3ec8f4a34bd1b66a71d1e1a841353d1b3f5e7b \
		test:7b21b3316952011f16c9504580892fdb0f9d5659558a938331a98f969e08264f; do
		"$make" --split "${part%%:*}" --format cifar -o "${part%%:*}.bin"
		[ "$(sha "${part%%:*}.bin")" = "${part#*:}" ]
	done
	[ "$(stat -c %s train.bin)" -eq $((16000 * 3074)) ]
	[ "$(sed -n '1p;48p' fine_label_names.txt | tr '\n' ' ')" = "circle-red ring-white " ]
	[ "$(wc -l < fine_label_names.txt)" -eq 100 ]
	[ "$(wc -l < coarse_label_names.txt)" -eq 20 ]
	cmp classes.txt <(head -48 fine_label_names.txt)
}

@test "fewer pictures are the first ones; another seed gives others" {
	"$make" --split train --count 100 --format cifar -o a
	"$make" --split train --count 60 --format cifar -o b
	"$make" --split train --count 60 --format cifar --seed 1 -o c
	cmp <(head -c $((60 * 3074)) a) b
	run cmp -s b c
	[ "$status" -eq 1 ]
}

@test "HDF5 and records hold the same labels and pixels" {
	python_with h5py,numpy
	"$make" --split test --count 200 -o t.h5
	"$make" --split test --count 200 --format cifar -o t.bin
	"$python" - <<-'END'
		import h5py, numpy
		f = h5py.File("t.h5")
		assert f.attrs["kind"] in (b"images", "images") and f.attrs["split"] in (b"test", "test")
		names = [n.decode() if isinstance(n, bytes) else n for n in f["class_names"][:]]
		pixels, labels = f["pixels"][:], f["labels"][:]
		assert pixels.shape == (200, 32, 32, 3) and pixels.dtype == "u1" and labels.dtype == "i4"
		records = numpy.fromfile("t.bin", "u1").reshape(200, 3074)
		assert (records[:, 1] == labels).all() and (records[:, 0] == labels // 8).all()
		assert (records[:, 2:].reshape(200, 3, 32, 32).transpose(0, 2, 3, 1) == pixels).all()
		assert names == open("classes.txt").read().split()
	END
}

@test "PNG and JPEG folders hold the pictures of the records" {
	python_with PIL.Image,numpy
	"$make" --split test --count 200 --format png -o png
	"$make" --split test --count 200 --format jpeg -o jpeg/
	"$make" --split test --count 200 --format cifar -o t.bin
	"$python" - <<-'END'
		import glob, os, numpy
		from PIL import Image
		names = open("classes.txt").read().split()
		records = numpy.fromfile("t.bin", "u1").reshape(200, 3074)
		pixels = records[:, 2:].reshape(200, 3, 32, 32).transpose(0, 2, 3, 1).astype(int)
		assert len(os.listdir("png")) == 48
		for kind in "png", "jpeg":
		    files = sorted(glob.glob(kind + "/*/*"), key=os.path.basename)
		    assert len(files) == 200
		    for i, path in enumerate(files):
		        assert path.split("/")[1] == names[records[i, 1]]
		        d = abs(numpy.asarray(Image.open(path)).astype(int) - pixels[i])
		        assert d.max() == 0 if kind == "png" else d.mean() < 8, (path, d.mean(), d.max())
	END
}

@test "JPEGs are of quality 95 without colour subsampling" {
	python_with PIL.Image
	"$make" --split valid --count 3 --format jpeg -o j
	"$python" - <<-'END'
		import glob
		from PIL import Image
		for path in glob.glob("j/*/*.jpg"):
		    image = Image.open(path)
		    assert all(l[1:3] == (1, 1) for l in image.layer), image.layer
		    assert list(image.quantization[0])[:3] == [2, 1, 1], list(image.quantization[0])[:3]
	END
}

@test "equal calls give equal files; through a pipe as well" {
	"$make" --split valid --count 50 --no-provenance -o a.h5
	"$make" --split valid --count 50 --no-provenance -o b.h5
	"$make" --split valid --count 50 --no-provenance -o - > c.h5
	cmp a.h5 b.h5
	cmp a.h5 c.h5
}

@test "called wrongly: 64" {
	for options in "-o x" "--split train" "--split train --count 0 -o x" "--split all -o x" \
		"--split train --format gif -o x" "--split train --format png -o -" \
		"--split train -o x y" "--split train --set vqa -o x" "--split train --count 5x -o x"; do
		run "$make" $options
		[ "$status" -eq 64 ]
	done
	[ -z "$(ls)" ]
}

@test "what cannot be written: 73 or 74, and nothing is left" {
	for format in hdf5 cifar png; do
		run "$make" --split train --count 5 --format $format -o none/x
		[ "$status" -eq 73 ]
	done
	mkdir full && touch full/file
	run "$make" --split train --count 5 --format png -o full
	[ "$status" -eq 73 ]
	[ "$(ls)" = full ] && [ "$(ls full)" = file ]
	run bash -c "'$make' --split train --count 5 -o - > /dev/full"
	[ "$status" -eq 74 ]
}
