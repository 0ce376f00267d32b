#!/usr/bin/env bats
# data/SOURCES, the class lists and data/verify-data.

setup() {
	root=$BATS_TEST_DIRNAME/..
	work=$(mktemp -d)
	cd "$root"
}

teardown() {
	rm -rf "$work"
}

source_line() { # name file hash bytes
	printf '%s\t%s\t%s\t%s\tfree\ttests\thttps://example.org/%s\n' "$1" "$2" "$3" "$4" "$2"
}

@test "every line of SOURCES has seven fields, a hash of a known kind and a licence" {
	run awk -F'\t' 'function hex(text, digits) {
			return length(text) == digits && text !~ /[^0-9a-f]/
		}
		/^#/ || $1 == "name" {next}
		{split($3, h, ":")}
		NF != 7 || $5 == "" || $6 == "" ||
		!($3 == "-" || h[1] == "sha256" && hex(h[2], 64) || h[1] == "md5" && hex(h[2], 32) ||
			h[1] == "prefix8" && hex(h[2], 8)) {print}' data/SOURCES
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "the class lists have the hashes of SOURCES, are sorted, and one is part of the other" {
	run data/verify-data data/SOURCES "$work" imagenet100 imagenet1k
	[ "$status" -eq 0 ]
	[ "$(grep -c ^ok <<< "$output")" -eq 2 ]
	LC_ALL=C sort -cu data/imagenet1k.txt
	LC_ALL=C sort -cu data/imagenet100.txt
	[ "$(LC_ALL=C comm -12 data/imagenet100.txt data/imagenet1k.txt | wc -l)" -eq 100 ]
}

@test "imagenet100.txt follows from imagenet1k.txt" {
	for python in python3 /usr/bin/python3 none; do
		"$python" -c 'import numpy' 2> /dev/null && break
	done
	[ "$python" != none ] || skip "no python3 with numpy"
	"$python" tests/golden/make_imagenet100.py data/imagenet1k.txt | cmp - data/imagenet100.txt
}

@test "verify-data: whole, missing, without a hash, wrong" {
	printf abc > "$work/a"
	printf abd > "$work/b"
	printf abc > "$work/c"
	printf abc > "$work/d"
	abc=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
	{
		echo '# a comment'
		printf 'name\tfile\thash\tbytes\tlicence\tused by\turl\n'
		source_line good a "sha256:$abc" 3
		source_line bad b "sha256:$abc" 3
		source_line open c - -
		source_line short d "sha256:$abc" 4
		source_line gone e "sha256:$abc" 3
		source_line drawn - - -
	} > "$work/SOURCES"
	run data/verify-data "$work/SOURCES" "$work"
	[ "$status" -eq 1 ]
	grep -q "^ok.$work/a" <<< "$output"
	grep -q "^wrong.$work/b" <<< "$output"
	grep -q "^unknown.$work/c" <<< "$output"
	grep -q "^wrong.$work/d" <<< "$output"
	grep -q "^missing.$work/e.https://example.org/e" <<< "$output"
	[ ! -e "$work/b" ] && [ -e "$work/b.wrong" ] && [ -e "$work/a" ]
	run data/verify-data "$work/SOURCES" "$work" good open
	[ "$status" -eq 0 ]
	[ "$(wc -l <<< "$output")" -eq 2 ]
	run data/verify-data "$work/SOURCES" "$work" gone
	[ "$status" -eq 1 ]
	run data/verify-data "$work/SOURCES" "$work" nobody
	[ "$status" -eq 1 ]
}

@test "verify-data: md5 and the first digits of a published name" {
	printf abc > "$work/a"
	{
		source_line m a md5:900150983cd24fb0d6963f7d28e17f72 3
		source_line p a prefix8:ba7816bf -
	} > "$work/SOURCES"
	run data/verify-data "$work/SOURCES" "$work" m p
	[ "$status" -eq 0 ]
	[ "$(grep -c ^ok <<< "$output")" -eq 2 ]
	source_line p a prefix8:ba7816be - > "$work/SOURCES"
	run data/verify-data "$work/SOURCES" "$work" p
	[ "$status" -eq 1 ]
}
