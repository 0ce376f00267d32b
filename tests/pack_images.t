#!/usr/bin/env bats
# pack-images: every kind of input, classes, shares, holding out, damage, refusals.

setup() {
	pack="${TM_BIN:-$BATS_TEST_DIRNAME/../build/bin}/pack-images"
	images="$BATS_TEST_DIRNAME/golden/images"
	dir=$(mktemp -d)
	cd "$dir" || return
}

teardown() {
	rm -rf "$dir"
}

# classes of several good files, from the odd ones of tests/golden
tree() {
	mkdir -p "$1/zebra/inner" "$1/ant" "$1/Bee" "$1/.hidden"
	for i in 01 02 03 04 05 06 07 08; do
		cp "$images/420.jpg" "$1/zebra/$i.jpg"
		cp "$images/rgb.png" "$1/ant/$i.PNG"
		cp "$images/grey.jpg" "$1/Bee/$i.jpeg"
	done
	cp "$images/rgb.ppm" "$1/zebra/inner/09.ppm"
	echo text > "$1/ant/notes.txt"
}

# the names in a packed file, one a line
names() {
	h5dump -d "/$2" -y -w 1 "$1" | sed -n 's/^ *"\(.*\)",*$/\1/p'
}

numbers() {
	h5dump -d "/$2" -y -w 1 "$1" | sed -n 's/^ *\([0-9][0-9]*\),*$/\1/p'
}

# a CIFAR-100 batch of $2 records: label i % 100, pixels that depend on i
batch() {
	perl -e 'for $i (0..$ARGV[0]-1) { print pack("CC", $i % 20, $i % 100),
		join "", map { chr(($i * 7 + $_ * 13 + int($_ / 32)) % 256) } 0..3071 }' "$2" > "$1"
}

@test "a folder of class folders: classes by bytes, files by folder and name" {
	tree t
	run "$pack" t -o t.h5 --split train
	[ "$status" -eq 0 ]
	[ "$(names t.h5 class_names | tr '\n' ' ')" = "Bee ant zebra " ]
	[ "$(numbers t.h5 labels | sort | uniq -c | tr -s ' \n' ' ')" = " 8 0 8 1 9 2 " ]
	[ "$(names t.h5 names | sed -n '1p;9p;24p;25p' | tr '\n' ' ')" = \
		"Bee/01.jpeg ant/01.PNG zebra/08.jpg zebra/inner/09.ppm " ]
	[ "$(h5dump -a /split t.h5 | grep -c train)" -eq 1 ]
}

@test "files are stored as they are" {
	mkdir -p t/a
	cp "$images/420.jpg" t/a/1.jpg
	cp "$images/rgb.png" t/a/2.png
	"$pack" -q t -o t.h5
	h5dump -d /encoded -b LE -o bytes t.h5 > /dev/null
	cat "$images/420.jpg" "$images/rgb.png" | cmp - bytes
}

@test "equal runs give equal bytes, any number of threads" {
	tree t
	"$pack" -q t -o 1.h5 --no-provenance --threads 1
	"$pack" -q t -o 2.h5 --no-provenance --threads 3
	cmp 1.h5 2.h5
}

@test "lists: names by tab, labels by number, paths beside the list" {
	tree t
	printf 't/zebra/01.jpg\tstripes\nt/ant/01.PNG\tsmall one\r\n\n' > names.txt
	"$pack" -q names.txt -o n.h5
	[ "$(names n.h5 class_names | tr '\n' ',')" = "small one,stripes," ]
	[ "$(numbers n.h5 labels | tr '\n' ' ')" = "1 0 " ]
	printf 't/zebra/01.jpg 10\nt/ant/01.PNG 2\n' > numbers.txt
	"$pack" -q numbers.txt -o m.h5
	[ "$(names m.h5 class_names | wc -l)" -eq 11 ]
	[ "$(numbers m.h5 labels | tr '\n' ' ')" = "10 2 " ]
	printf 'x\ny\n' > classes.txt
	printf 't/zebra/01.jpg 1\nt/ant/01.PNG 0\n' > numbers.txt
	"$pack" -q numbers.txt --classes classes.txt -o k.h5
	[ "$(names k.h5 class_names | tr '\n' ' ')" = "x y " ]
	printf 'x\ny\nz\n' > three.txt
	"$pack" -q numbers.txt --classes three.txt -o l.h5
	[ "$(names l.h5 class_names | tr '\n' ' ')" = "x y z " ]
	[ "$(numbers k.h5 labels | tr '\n' ' ')" = "1 0 " ]
	printf 't/zebra/01.jpg 2\n' > numbers.txt
	run "$pack" numbers.txt --classes classes.txt -o l.h5
	[ "$status" -eq 65 ]
	[[ "$output" == *"line 1"* ]]
	printf 't/zebra/01.jpg 2\nt/ant/01.PNG\ttwo\n' > mixed.txt
	run "$pack" mixed.txt -o l.h5
	[ "$status" -eq 65 ]
}

@test "a list of classes chooses and orders; unknown and repeated ones are named" {
	tree t
	printf 'zebra\nBee\n' > classes.txt
	"$pack" -q t --classes classes.txt -o t.h5
	[ "$(names t.h5 class_names | tr '\n' ' ')" = "zebra Bee " ]
	[ "$(numbers t.h5 labels | uniq -c | tr -s ' \n' ' ')" = " 8 1 9 0 " ]
	printf 'zebra\nunicorn\n' > classes.txt
	run "$pack" t --classes classes.txt -o u.h5
	[ "$status" -eq 65 ]
	[[ "$output" == *"'unicorn'"* ]]
	printf 'zebra\nzebra\n' > classes.txt
	run "$pack" t --classes classes.txt -o u.h5
	[ "$status" -eq 65 ]
	[[ "$output" == *"twice"* ]]
	[ ! -e u.h5 ]
}

@test "CIFAR-100: binary and PNG folders give the same labels and pixels" {
	batch train.bin 300
	seq -f 'class%03.0f' 0 99 > fine_label_names.txt
	"$pack" -q train.bin -o b.h5
	[ "$(names b.h5 class_names | sed -n 100p)" = class099 ]
	h5dump -d /pixels -b LE -o pixels b.h5 > /dev/null
	perl -e 'use strict; local $/; open my $f, "<:raw", "train.bin"; my $all = <$f>;
		for my $i (0..299) { my $r = substr($all, $i * 3074 + 2, 3072);
			for my $p (0..1023) { print substr($r, $p, 1), substr($r, 1024 + $p, 1),
				substr($r, 2048 + $p, 1) } }' | cmp - pixels
	# the same images as files, in class folders
	perl -e 'use strict; local $/; open my $f, "<:raw", "pixels"; my $all = <$f>; mkdir "t";
		for my $i (0..299) { my $d = sprintf "t/class%03d", $i % 100; mkdir $d;
			open my $o, ">:raw", sprintf "$d/%05d.ppm", $i;
			print $o "P6 32 32 255\n", substr($all, $i * 3072, 3072) }'
	"$pack" -q t -o f.h5 --store pixels
	h5dump -d /pixels -b LE -o files f.h5 > /dev/null
	[ "$(numbers f.h5 labels | uniq -c | tr -s ' \n' ' ' | cut -c1-12)" = " 3 0 3 1 3 2" ]
	perl -e 'local $/; open F, "<:raw", "files"; $x = <F>; open P, "<:raw", "pixels"; $y = <P>;
		for $c (0..99) { for $k (0..2) {
			die if substr($x, ($c * 3 + $k) * 3072, 3072) ne
				substr($y, ($k * 100 + $c) * 3072, 3072) } }'
	# and as PNG inside a packed file
	"$pack" -q b.h5 -o e.h5 --store encoded
	"$pack" -q e.h5 -o p.h5 --store pixels
	h5dump -d /pixels -b LE -o again p.h5 > /dev/null
	cmp pixels again
}

@test "a CIFAR batch with fewer names, its bytes not taken for text" {
	perl -e 'for $i (0..9) { print pack("CC", $i % 5 + 9, $i % 3), chr(100 + $i) x 3072 }' > train.bin
	printf 'one\ntwo\nthree\n' > fine_label_names.txt
	"$pack" -q train.bin -o t.h5
	[ "$(names t.h5 class_names | tr '\n' ' ')" = "one two three " ]
	printf 'one\ntwo\n' > fine_label_names.txt
	run "$pack" train.bin -o u.h5
	[ "$status" -eq 65 ]
	[[ "$output" == *"record 2"* ]]
	printf 'one\none\nthree\n' > fine_label_names.txt
	run "$pack" train.bin -o u.h5
	[ "$status" -eq 65 ]
	[[ "$output" == *"twice"* ]]
}

@test "the micro-world as PNG, JPEG and CIFAR batch is what it is as HDF5" {
	shapes="${pack%/*}/make-shapes"
	[ -x "$shapes" ] || skip "make-shapes is not built"
	for f in hdf5 png cifar; do
		mkdir "$f"
		"$shapes" -q --set cls --split valid --count 60 --seed 3 --format $f -o "$f/out"
	done
	names hdf5/out class_names > classes
	"$pack" -q cifar/out -o cifar.h5 --classes classes
	"$pack" -q png/out -o png.h5 --store pixels --classes classes
	names png.h5 class_names | cmp - classes
	h5dump -d /pixels -b LE -o a hdf5/out > /dev/null
	h5dump -d /pixels -b LE -o b cifar.h5 > /dev/null
	h5dump -d /pixels -b LE -o c png.h5 > /dev/null
	cmp a b
	[ "$(numbers hdf5/out labels)" = "$(numbers cifar.h5 labels)" ]
	names cifar.h5 class_names | cmp - classes
	# the same pictures, in another order
	perl -e 'local $/; for $f (qw(a c)) { open F, "<:raw", $f; $x = <F>;
		push @l, join("", sort(unpack("(a3072)*", $x))) } exit($l[0] ne $l[1])'
}

@test "a damaged CIFAR batch is refused" {
	batch train.bin 3
	head -c 9000 train.bin > short.bin
	run "$pack" --format cifar100 short.bin -o x.h5
	[ "$status" -eq 65 ]
	printf '\000\144' | dd of=train.bin bs=1 seek=3074 conv=notrunc 2> /dev/null
	run "$pack" train.bin -o x.h5
	[ "$status" -eq 65 ]
	[[ "$output" == *"record 1"* ]]
}

@test "shares: sizes of the paper, smaller inside larger, a share of a share" {
	for c in a b; do for i in $(seq 1 500); do printf "x.jpg%s\t%s\n" "$i" "$c"; done; done > list.txt
	for f in 1/4 1/2 1/1.3 25% 0.25 0.2; do
		"$pack" -n list.txt --share "$f" | sed -n 2p | cut -f 2
	done > sizes
	[ "$(tr '\n' ' ' < sizes)" = "125 250 384 125 125 100 " ]
	for f in 0 1.5 1/0 x 2/1 -1 1/0.5 ''; do
		run "$pack" -n list.txt --share "$f"
		[ "$status" -eq 64 ]
	done
	mkdir -p t/a t/b
	for i in $(seq 10 49); do cp "$images/one.jpg" "t/a/$i.jpg"; cp "$images/one.jpg" "t/b/$i.jpg"; done
	"$pack" -q t -o whole.h5
	"$pack" -q t -o half.h5 --share 1/2 --seed 7
	"$pack" -q t -o quarter.h5 --share 1/4 --seed 7
	"$pack" -q half.h5 -o again.h5 --share 1/2 --seed 7
	"$pack" -q whole.h5 -o packed.h5 --share 1/4 --seed 7
	"$pack" -q t -o other.h5 --share 1/4 --seed 8
	for f in half quarter again packed other; do names $f.h5 names > $f; done
	[ "$(wc -l < half)" -eq 40 ]
	[ "$(grep -c ^a/ half)" -eq 20 ]
	[ "$(sort half quarter | uniq -d | wc -l)" -eq 20 ]
	cmp quarter again
	cmp quarter packed
	run cmp -s quarter other
	[ "$status" -eq 1 ]
	sort -c half
}

@test "holding out: equally of each class, the rest disjoint" {
	tree t
	"$pack" -q t -o t.h5 --holdout 7 --holdout-output h.h5 --share 1/2 --seed 3
	[ "$(numbers h.h5 labels | uniq -c | tr -s ' \n' ' ')" = " 3 0 2 1 2 2 " ]
	[ "$(numbers t.h5 labels | uniq -c | tr -s ' \n' ' ')" = " 2 0 3 1 3 2 " ]
	names t.h5 names > rest
	names h.h5 names > held
	[ "$(sort rest held | uniq -d | wc -l)" -eq 0 ]
	[ "$(names h.h5 class_names | wc -l)" -eq 3 ]
	run "$pack" t -o x.h5 --holdout 24 --holdout-output y.h5
	[ "$status" -eq 65 ]
	run "$pack" t -o x.h5 --holdout 24
	[ "$status" -eq 64 ]
	[ ! -e x.h5 ]
}

@test "packed files are joined by the names of their classes" {
	tree t
	printf 'zebra\n' > one; printf 'Bee\nant\n' > two
	"$pack" -q t --classes one -o 1.h5
	"$pack" -q t --classes two -o 2.h5
	"$pack" -q 1.h5 2.h5 -o both.h5
	[ "$(names both.h5 class_names | tr '\n' ' ')" = "Bee ant zebra " ]
	[ "$(numbers both.h5 labels | uniq -c | tr -s ' \n' ' ')" = " 9 2 8 0 8 1 " ]
	"$pack" -q - -o copy.h5 --no-provenance < 1.h5
	"$pack" -q 1.h5 -o copy2.h5 --no-provenance
	cmp copy.h5 copy2.h5
}

@test "damaged images are all named and counted, and stop the tool" {
	tree t
	cp "$images/truncated.jpg" t/ant/90.jpg
	: > t/ant/91.jpg
	cp "$images/truncated.png" t/Bee/92.png
	run "$pack" t -o t.h5
	[ "$status" -eq 65 ]
	[[ "$output" == *"ant/90.jpg"*"truncated"* ]]
	[[ "$output" == *"ant/91.jpg"*"empty"* ]]
	[[ "$output" == *"Bee/92.png"* ]]
	[[ "$output" == *"3 damaged images, 0 allowed"* ]]
	[ ! -e t.h5 ]
	[ "$(echo *)" = t ]
	run "$pack" t -o t.h5 --skip-damaged 2
	[ "$status" -eq 65 ]
	"$pack" -q t -o t.h5 --skip-damaged 3
	[ "$(names t.h5 names | wc -l)" -eq 25 ]
	[ "$(names t.h5 names | grep -c '9[012]')" -eq 0 ]
	printf 'nowhere.jpg\ta\n' > list.txt
	run "$pack" list.txt -o x.h5
	[ "$status" -eq 65 ]
	[[ "$output" == *"nowhere.jpg"* ]]
}

@test "pixels: of one size, or brought to one" {
	tree t
	run "$pack" t -o t.h5 --store pixels
	[ "$status" -eq 65 ]
	[[ "$output" == *"--size"* ]]
	"$pack" -q t -o t.h5 --store pixels --size 16
	[[ "$(h5ls t.h5/pixels)" == *"{25/Inf, 16, 16, 3}"* ]]
	run "$pack" t -o u.h5 --store encoded --size 16
	[ "$status" -eq 64 ]
}

@test "images without labels" {
	mkdir -p t/deep
	cp "$images/420.jpg" t/b.jpg
	cp "$images/420.jpg" t/deep/a.jpg
	run "$pack" t -o t.h5
	[ "$status" -eq 65 ]
	"$pack" -q t -o t.h5 --no-labels
	[[ "$(h5ls t.h5)" != *labels* ]]
	[ "$(names t.h5 names | tr '\n' ' ')" = "b.jpg deep/a.jpg " ]
	run "$pack" t.h5 -o u.h5
	[ "$status" -eq 65 ]
	[[ "$output" == *"--no-labels"* ]]
	"$pack" -q t.h5 -o u.h5 --no-labels
}

@test "refusals and the picture of views" {
	tree t
	run "$pack"
	[ "$status" -eq 64 ]
	run "$pack" t
	[ "$status" -eq 64 ]
	run "$pack" nowhere -o x.h5
	[ "$status" -eq 66 ]
	run "$pack" t -o /nowhere/x.h5
	[ "$status" -eq 73 ]
	mkdir empty
	run "$pack" empty -o x.h5
	[ "$status" -eq 65 ]
	mkdir -p t2/a t2/b
	cp "$images/420.jpg" t2/a/1.jpg
	run "$pack" t2 -o x.h5
	[ "$status" -eq 65 ]
	[[ "$output" == *"t2/b"* ]]
	printf 'b\na\n' > both
	"$pack" -q t2 -o x.h5 --classes both
	[ "$(names x.h5 class_names | tr '\n' ' ')" = "b a " ]
	rm x.h5
	mkdir -p t3/a
	cp "$images/420.jpg" "$(printf 't3/a/\377.jpg')"
	run "$pack" t3 -n
	[ "$status" -eq 65 ]
	[[ "$output" == *"UTF-8"* ]]
	head -c 100 /dev/zero > zeros
	run "$pack" zeros -o x.h5
	[ "$status" -eq 65 ]
	"$pack" -q t -o t.h5
	head -c 3000 t.h5 > cut.h5
	run "$pack" cut.h5 -o x.h5
	[ "$status" -eq 65 ]
	"$pack" -q t.h5 --show views.png --size 48
	[ "$(head -c 24 views.png | tail -c 8 | od -An -tu1 | tr -s ' ')" = " 0 0 1 146 0 0 1 146" ]
	run "$pack" t.h5 --show views.png --augment other
	[ "$status" -eq 64 ]
	[ "$("$pack" t.h5 -n | tail -n 1)" = "$(printf 'zebra\t9\t0')" ]
}
