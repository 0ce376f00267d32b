#!/usr/bin/env bats
# pack-images of tar archives: the same file as from folders, parts and SIGKILL, labels, refusals.

load tools

setup()
{
	images="$BATS_TEST_DIRNAME/golden/images"
	dir=$(mktemp -d)
	cd "$dir"
}

teardown()
{
	rm -rf "$dir"
}

# Folders of three classes, $1 images each, in $2; every name has its own bytes of JPEG.
world()
{
	local class i
	for class in n03 n01 n02; do
		mkdir -p "$2/$class"
		for ((i = 1; i <= $1; i++)); do
			cp "$images/420.jpg" "$2/$class/${class}_$i.JPEG"
			printf 'tail of %s %s' $class $i >>"$2/$class/${class}_$i.JPEG"
		done
	done
}

# An archive a class, as ImageNet's training set is published: nested FOLDER OUT [TAR-OPTION...]
nested()
{
	local from=$1 out=$2 class
	shift 2
	mkdir inner
	for class in "$from"/*; do
		tar -c "$@" -f "inner/${class##*/}.tar" -C "$class" .
	done
	tar -c "$@" -f "$out" -C inner $(ls -r inner)
	rm -r inner
}

# pack ARGUMENT...: without provenance, so that bytes can be compared
pack()
{
	expect 0 pack-images -q --no-provenance "$@"
}

# refused STATUS WORDS ARGUMENT...: named, and nothing is left but the input and parts that are whole
refused()
{
	local status=$1 words=$2 before
	before=$(echo *)
	shift 2
	expect "$status" pack-images -q "$@" -o out.h5
	message "^pack-images: .*$words"
	if [ -d out.h5.parts ]; then
		expect 0 check-file out.h5.parts/*
		rm -r out.h5.parts
	fi
	[ "$(echo *)" = "$before" ]
}

@test "archives of all forms give the file that the folder gives" {
	world 7 t
	mkdir -p t/n01/.hidden
	cp t/n01/n01_1.JPEG t/n01/.hidden/x.JPEG
	echo words >t/n02/README.txt
	long=t/n02/$(printf 'd%.0s' {1..90})/$(printf 'e%.0s' {1..120})
	mkdir -p "$long"
	cp t/n01/n01_2.JPEG "$long/$(printf 'f%.0s' {1..130}).JPEG"
	pack t -o folder.h5
	for form in gnu pax; do
		nested t $form.tar --format=$form
		pack $form.tar -o $form.h5
		cmp folder.h5 $form.h5
		pack --format tar - -o pipe.h5 <$form.tar
		cmp folder.h5 pipe.h5
		cat $form.tar | pack --format tar - --threads 3 --check structure -o pipe.h5
		cmp folder.h5 pipe.h5
		[ ! -e $form.h5.parts ] && [ ! -e pipe.h5.parts ]
	done
	rm -r "${long%/*}"
	pack t -o folder.h5
	nested t ustar.tar --format=ustar
	pack ustar.tar -o ustar.h5
	cmp folder.h5 ustar.h5
	tar -cf folders.tar -C t n03 n01 n02
	pack folders.tar -o folders.h5
	cmp folder.h5 folders.h5
}

@test "sizes to base 256, as of files beyond 8 GiB" {
	mkdir -p t/a
	cp "$images/420.jpg" t/a/1.jpg
	nested t t.tar
	pack t.tar -o 1.h5
	perl -e 'local $/; open F, "<:raw", "t.tar"; $_ = <F>; $size = oct substr $_, 124, 11;
		substr $_, 124, 12, pack("CxxxN2", 128, 0, $size); substr $_, 148, 8, " " x 8;
		substr $_, 148, 8, sprintf("%06o\0 ", unpack("%32C*", substr $_, 0, 512)); print' >big.tar
	pack big.tar -o 2.h5
	cmp 1.h5 2.h5
	perl -pe 'BEGIN { $/ = \512 } if ($. == 1) { substr $_, 124, 12, pack("CxxxN2", 128, 4, 0);
		substr $_, 148, 8, " " x 8; substr $_, 148, 8, sprintf("%06o\0 ", unpack("%32C*", $_)) }' \
		t.tar >huge.tar
	refused 65 'huge.tar: .*truncated' huge.tar
}

@test "a plain archive: classes by a list, the file that the folder gives" {
	world 40 t
	mkdir flat
	cp t/*/*.JPEG flat
	(cd t && for f in */*; do echo "${f#*/} ${f%/*}"; done) >list.txt
	tar -cf val.tar -C flat .
	pack t -o folder.h5 --split valid
	pack val.tar --labels list.txt -o val.h5 --split valid
	cmp folder.h5 val.h5
	sed 's/ /\t/' list.txt | shuf >shuffled.txt
	pack val.tar --labels shuffled.txt -o val.h5 --split valid
	cmp folder.h5 val.h5
	[ "$(h5dump -d /labels -y -w 1 val.h5 | grep -o '[0-9]*,\?$' | sort | uniq -c | tr -s ' \n' ' ')" = \
		"$(h5dump -d /labels -y -w 1 folder.h5 | grep -o '[0-9]*,\?$' | sort | uniq -c | tr -s ' \n' ' ')" ]
	refused 65 'val.tar: .*JPEG: of which class is it' val.tar
	pack val.tar --no-labels -o none.h5
	pack flat --no-labels -o flat.h5
	expect 0 diff-tensors flat.h5 none.h5
	head -n 100 list.txt >short.txt
	refused 65 'n03_.*JPEG: short.txt does not name it' val.tar --labels short.txt
	echo 'n99_1.JPEG n99' | cat list.txt - >more.txt
	refused 65 'more.txt: 1 of the 121 files that it names are not in the archive' val.tar --labels more.txt
	refused 64 'exclude each other' val.tar --labels list.txt --no-labels
}

@test "labels that are no list of files and classes" {
	world 2 t
	mkdir flat
	cp t/*/*.JPEG flat
	tar -cf val.tar -C flat .
	printf '490\n361\n171\n' >ILSVRC2012_validation_ground_truth.txt
	refused 65 "line 1: a number alone, as in the development kit.*'FILE SYNSET'.*data/README.md" val.tar \
		--labels ILSVRC2012_validation_ground_truth.txt
	printf 'n01_1.JPEG 490\n' >numbers.txt
	refused 65 "numbers.txt: line 1: class '490' is a number" val.tar --labels numbers.txt
	printf 'n01_1.JPEG n01\nn01_1.JPEG n02\n' >twice.txt
	refused 65 "twice.txt: line 2: 'n01_1.JPEG' is named twice" val.tar --labels twice.txt
	printf 'n01\n' >one.txt
	refused 65 "one.txt: line 1: 'n01': 'FILE CLASS' is wanted" val.tar --labels one.txt
	: >none.txt
	refused 65 'none.txt: it names no file' val.tar --labels none.txt
	refused 66 'nowhere.txt: No such file' val.tar --labels nowhere.txt
	nested t t.tar
	(cd t && for f in */*; do echo "${f#*/} ${f%/*}"; done) >list.txt
	refused 65 'an archive a class, which need no --labels' t.tar --labels list.txt
}

@test "classes: chosen, ordered, shared out as from the folder; unknown ones are named" {
	world 8 t
	nested t t.tar
	printf 'n03\nn01\n' >two.txt
	for how in '--classes two.txt' '--share 1/4 --seed 3' '--store pixels --size 8'; do
		pack t $how -o folder.h5
		pack t.tar $how -o tar.h5
		cmp folder.h5 tar.h5
	done
	pack t --holdout 3 --holdout-output held1.h5 -o 1.h5
	pack t.tar --holdout 3 --holdout-output held2.h5 -o 2.h5
	cmp 1.h5 2.h5
	cmp held1.h5 held2.h5
	expect 0 pack-images t.tar -n
	[ "$output" = "$(pack-images t -n)" ]
	rm *.h5
	printf 'n01\nn07\n' >unknown.txt
	refused 65 "t.tar: has no class 'n07', which the list names" t.tar --classes unknown.txt
	refused 64 'an archive is packed alone' t.tar t
	refused 64 'not by --part' t.tar --part 1/2
	refused 64 '--labels and --parts go with an archive' t --parts p
	expect 64 pack-images t.tar -o -
	message 'needs --parts'
}

@test "paths that climb out, absolute ones, links, devices: refused by name" {
	world 2 t
	for name in ../n09_1.JPEG a/../../x.JPEG .. /n09_1.JPEG; do
		tar -cPf bad.tar --transform "s|^n01_1.JPEG|$name|" -C t/n01 n01_1.JPEG
		refused 65 "bad.tar: ${name//./\\.}: is a.* path" bad.tar --no-labels
		tar -cPf inner.tar --format=pax --transform "s|^n01_1.JPEG|$name|" -C t/n01 n01_2.JPEG n01_1.JPEG
		tar -cf outer.tar -C t/n02 . -C ../.. --transform 's|^inner|n09|' inner.tar
		tar --delete -f outer.tar ./n02_1.JPEG ./n02_2.JPEG
		refused 65 "n09.tar: ${name//./\\.}: is a.* path" outer.tar
	done
	ln -s /etc/passwd t/n01/n01_3.JPEG
	ln t/n01/n01_1.JPEG t/n01/n01_4.JPEG
	mkfifo t/n01/n01_5.JPEG
	for odd in n01_3 n01_5; do
		tar -cf bad.tar -C t/n01 n01_2.JPEG $odd.JPEG
		refused 65 "bad.tar: $odd.JPEG: is a " bad.tar --no-labels
	done
	tar -cf bad.tar -C t/n01 n01_1.JPEG n01_4.JPEG
	refused 65 'bad.tar: n01_4.JPEG: is a link' bad.tar --no-labels
}

@test "names that are there twice" {
	world 3 t
	tar -c --hard-dereference -f twice.tar -C t/n01 n01_1.JPEG n01_2.JPEG n01_1.JPEG
	refused 65 'twice.tar: n01_1.JPEG is there twice' twice.tar --no-labels
	mkdir i
	cp twice.tar i/n01.tar
	tar -cf inner.tar -C i n01.tar
	refused 65 'inner.tar: n01.tar: n01_1.JPEG is there twice' inner.tar
	rm -r i twice.tar inner.tar
	nested t t.tar
	tar -xf t.tar n02.tar
	tar -rf t.tar n02.tar
	refused 65 't.tar: n02.tar is there twice' t.tar
	cat t.tar >pipe.tar
	expect 65 sh -c 'cat pipe.tar | pack-images -q --format tar - -o out.h5'
	message 'n02.tar is there twice'
	[ ! -e out.h5 ]
}

@test "archives that are cut or damaged" {
	world 2 t
	nested t t.tar
	size=$(stat -c %s t.tar)
	for n in 1 511 512 1000 9000 $((size / 2)) $((size - 10240)); do
		head -c $n t.tar >cut.tar
		refused 65 'cut.tar: ' --format tar cut.tar
		expect 65 sh -c 'cat cut.tar | pack-images -q --format tar - -o out.h5'
		[ ! -e out.h5 ]
		rm -rf out.h5.parts
	done
	tar -xf t.tar n02.tar
	head -c 3000 n02.tar >n04.tar
	tar -cf cut.tar n04.tar
	refused 65 'cut.tar: n04.tar: .*truncated' cut.tar
	: >empty.tar
	refused 65 'empty.tar: is empty' --format tar empty.tar
	head -c 20000 /dev/zero >zeros.tar
	refused 65 'zeros.tar: no images there' --format tar zeros.tar
	seq 9000 >text.tar
	refused 65 'text.tar: is no tar archive' --format tar text.tar
	printf x | dd of=t.tar bs=1 seek=100 conv=notrunc 2>/dev/null
	refused 65 't.tar: is no tar archive' --format tar t.tar
	refused 66 'nowhere.tar: No such file' --format tar nowhere.tar
}

@test "damaged images are all named, and found again when the archive is mended" {
	world 4 t
	head -c 300 t/n01/n01_3.JPEG >cut && mv cut t/n01/n01_3.JPEG
	: >t/n02/n02_1.JPEG
	nested t t.tar
	expect 65 pack-images -q t.tar -o out.h5
	message 't.tar: n01/n01_3.JPEG: .*truncated JPEG'
	message 't.tar: n02/n02_1.JPEG: the file is empty'
	message '2 damaged images, 0 allowed'
	[ ! -e out.h5 ]
	[ "$(ls out.h5.parts)" = n03.h5 ]
	pack t.tar --skip-damaged 2 -o out.h5
	pack t --skip-damaged 2 -o folder.h5
	cmp folder.h5 out.h5
	# what was left out counts when parts are taken up
	pack t.tar --parts kept --skip-damaged 2 -o out.h5
	expect 65 pack-images -q t.tar --parts kept --skip-damaged 1 -o out2.h5
	message '2 damaged images, 1 allowed'
	expect 0 pack-images t.tar --parts kept --skip-damaged 2 -o out2.h5
	message '3 parts, 3 of them were there, 0 images read'
	expect 0 diff-tensors out.h5 out2.h5
}

@test "a look at the structure finds what is cut, decoding what is wrong inside" {
	mkdir -p t/a
	cp "$images/420.jpg" t/a/1.jpg
	cp "$images/rgb.png" t/a/2.png
	cp "$images/rgb.ppm" t/a/3.ppm
	# bytes of the scan overwritten: markers and sizes stay
	size=$(stat -c %s t/a/1.jpg)
	cp t/a/1.jpg t/a/4.jpg
	perl -e 'print "\x00" x 60' | dd of=t/a/4.jpg bs=1 seek=$((size - 70)) conv=notrunc 2>/dev/null
	nested t t.tar
	pack t.tar --check structure -o s.h5
	pack t --check structure -o f.h5
	cmp f.h5 s.h5
	for f in 1.jpg 2.png 3.ppm; do
		head -c -9 t/a/$f >t/a/cut-$f
	done
	nested t cut.tar
	expect 65 pack-images -q cut.tar --check structure -o out.h5
	for f in 1.jpg 2.png 3.ppm; do
		message "cut-$f: truncated"
	done
	message '3 damaged images'
	expect 64 pack-images t --check twice -o out.h5
}

# The first $1 bytes of t.tar through a pipe that then stays open; killed when part $2 is there.
killed()
{
	local victim i
	mkfifo pipe
	sleep 60 >pipe &
	holder=$!
	pack-images -q --no-provenance --format tar - -o out.h5 <pipe &
	victim=$!
	head -c "$1" t.tar >pipe
	for ((i = 0; i < 400; i++)); do
		[ -e "out.h5.parts/$2" ] && break
		sleep 0.05
	done
	kill -KILL $victim
	wait $victim || true
	kill $holder
	wait $holder || true
	rm pipe
}

@test "SIGKILL loses at most a part; the next run goes on to the same bytes" {
	world 20 t
	nested t t.tar --blocking-factor=1
	pack t.tar -o whole.h5
	third=$(($(stat -c %s t.tar) / 3))
	killed $((2 * third + 2000)) n02.h5
	[ ! -e out.h5 ]
	[ "$(cd out.h5.parts && echo *.h5)" = "n02.h5 n03.h5" ]
	expect 0 check-file out.h5.parts/n02.h5 out.h5.parts/n03.h5
	expect 0 pack-images --no-provenance t.tar -o out.h5
	message '3 parts, 2 of them were there, 20 images read'
	cmp whole.h5 out.h5
	[ ! -e out.h5.parts ]
}

@test "SIGKILL within a plain archive, a part of which are a thousand images" {
	mkdir flat
	for ((i = 1000; i < 3500; i++)); do
		ln "$images/one.jpg" flat/$i.jpg 2>/dev/null || cp "$images/one.jpg" flat/$i.jpg
	done
	(cd flat && printf '%s\n' *) | awk '{ print $1, "c" $1 % 7 }' >list.txt
	(cd flat && tar --hard-dereference -cf ../t.tar *)
	pack t.tar --labels list.txt -o whole.h5
	mkfifo pipe
	sleep 60 >pipe &
	holder=$!
	pack-images -q --no-provenance --format tar - --labels list.txt -o out.h5 <pipe &
	victim=$!
	head -c $(($(stat -c %s t.tar) * 9 / 10)) t.tar >pipe
	for ((i = 0; i < 400; i++)); do
		[ -e out.h5.parts/000001.h5 ] && break
		sleep 0.05
	done
	kill -KILL $victim
	wait $victim || true
	kill $holder
	wait $holder || true
	[ "$(cd out.h5.parts && echo *.h5)" = "000000.h5 000001.h5" ]
	expect 0 pack-images --no-provenance t.tar --labels list.txt -o out.h5
	message '3 parts, 2 of them were there, 500 images read'
	cmp whole.h5 out.h5
}

@test "parts of something else are refused" {
	world 3 t
	nested t t.tar
	pack t.tar --parts p -o 1.h5
	[ "$(ls p | wc -l)" -eq 3 ]
	cp t/n01/n01_1.JPEG t/n01/n01_9.JPEG
	nested t other.tar --blocking-factor=1
	expect 65 pack-images -q other.tar --parts p -o 2.h5
	message 'p/n03.h5: was made from something else'
	expect 65 pack-images -q t.tar --parts p --check structure -o 2.h5
	message 'p/n03.h5: was made from something else (.*check decode; now .*check structure): remove it'
	pack t -o p/n02.h5
	expect 65 pack-images -q t.tar --parts p -o 2.h5
	message 'p/n02.h5: is no part of an archive'
	[ ! -e 2.h5 ]
}

@test "memory does not grow with the archive" {
	[ -r /proc/self/status ] || skip "no /proc"
	mkdir a
	perl -e 'for $i (1..40) { open F, ">:raw", "a/$i.ppm"; print F "P6 1500 1000 255\n", chr($i) x 4500000 }'
	tar -cf n01.tar -C a .
	rm -r a
	tar -cf t.tar n01.tar
	rm n01.tar
	# what AddressSanitizer keeps of freed memory is not the tool's
	expect 0 env ASAN_OPTIONS="${ASAN_OPTIONS-}:quarantine_size_mb=1" bash -c '
		pack-images -q t.tar --check structure --threads 1 --parts p -o o.h5 & pid=$!
		most=0
		while [ -r /proc/$pid/status ]; do
			now=$(sed -n "s/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p" /proc/$pid/status)
			[ "${now:-0}" -le $most ] || most=$now
			sleep 0.05
		done
		wait $pid && echo "most $most"'
	most=$(sed -n 's/^most //p' <<<"$output")
	echo "$most KiB"
	[ "$most" -gt 10000 ] && [ "$most" -lt 120000 ]
}

@test "outputs that cannot be written" {
	world 2 t
	nested t t.tar
	expect 73 pack-images -q t.tar -o missing/out.h5
	expect 73 pack-images -q t.tar --parts t.tar/p -o out.h5
	expect 74 sh -c 'ulimit -f 2; trap "" XFSZ; pack-images -q t.tar -o out.h5'
	[ "$(echo *)" = 't t.tar' ]
}
