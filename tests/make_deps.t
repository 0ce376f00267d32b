#!/usr/bin/env bats
# Packages that are missing are found, installed through apt-get or named, on made-up machines:
# a folder of commands that stands in for the whole PATH.

setup()
{
	unset MAKEFLAGS MFLAGS MAKELEVEL
	cd "$BATS_TEST_DIRNAME/.."
	machine=$(mktemp -d)
	for name in bash env cut uname head tr sed gcc objcopy make pkg-config git gnuplot perl \
		prove bats h5dump; do
		ln -s "$(command -v $name || echo /bin/true)" "$machine/$name"
	done
	printf '#!/bin/bash\necho "$*" >>%q\n' "$machine/log" >"$machine/apt-get"
	printf '#!/bin/bash\nexec "$@"\n' >"$machine/sudo"
	chmod +x "$machine/apt-get" "$machine/sudo"
	rm "$machine/pkg-config"
	printf '#!/bin/bash\ntrue\n' >"$machine/pkg-config"
	chmod +x "$machine/pkg-config"
}

teardown()
{
	rm -rf "$machine"
}

deps()
{
	PATH=$machine run "$(command -v bash)" pipelines/make/deps "$@"
}

@test "nothing is done when nothing is missing" {
	deps build test
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ ! -e "$machine/log" ]
}

@test "--list names what is missing and why, and installs nothing" {
	rm "$machine/bats" "$machine/gnuplot"
	deps --list build test
	[ "$status" -eq 1 ]
	[ "${lines[0]}" = "gnuplot-nox: the figures" ]
	[ "${lines[1]}" = "bats: tests of the tools" ]
	[ ! -e "$machine/log" ]
}

@test "a group that was not asked for is not looked at" {
	rm "$machine/bats"
	deps --list build
	[ "$status" -eq 0 ]
}

@test "apt-get gets the missing packages, after an update" {
	rm "$machine/bats" "$machine/gnuplot"
	deps
	[ "$status" -eq 0 ]
	[[ "$(sed -n 1p "$machine/log")" == *update ]]
	[[ "$(sed -n 2p "$machine/log")" == *"install --no-install-recommends gnuplot-nox bats" ]]
}

@test "a library that neither pkg-config nor the compiler knows is missing" {
	rm "$machine/gcc"
	printf '#!/bin/bash\nread -r line; [[ $line != *png* ]]\n' >"$machine/gcc"
	chmod +x "$machine/gcc"
	printf '#!/bin/bash\n[[ $2 != libpng ]]\n' >"$machine/pkg-config"
	deps --list
	[ "$status" -eq 1 ]
	[ "$output" = "libpng-dev: PNG images" ]
}

@test "apt-get that fails gives 69 and the names" {
	printf '#!/bin/bash\nexit 100\n' >"$machine/apt-get"
	rm "$machine/bats"
	deps
	[ "$status" -eq 69 ]
	[[ "$output" == *"could not install bats"* ]]
}

@test "without apt-get the names are printed, and 69" {
	rm "$machine/apt-get" "$machine/bats"
	deps
	[ "$status" -eq 69 ]
	[[ "$output" == *"bats: tests of the tools"* ]]
	[[ "$output" == *"no apt-get"* ]]
}

@test "an unknown group is refused" {
	deps everything
	[ "$status" -eq 64 ]
}

@test "make looks for packages before it builds, not for help or a dry run" {
	mkdir "$machine/tree"
	cp --parents -r Makefile VERSION pipelines tests/*.mk tests/*/*.mk lib/*/*.mk "$machine/tree/"
	rm "$machine/gnuplot"
	for name in rm mkdir touch cat cmp mv sort expand prove nproc cc; do
		[ -e "$machine/$name" ] || ln -s "$(command -v $name)" "$machine/$name"
	done
	cd "$machine/tree"
	PATH=$machine run make help
	[ "$status" -eq 0 ]
	PATH=$machine run make -n all
	[ "$status" -eq 0 ]
	[ ! -e "$machine/log" ]
	PATH=$machine run make all CONFIG=none
	grep -q 'install.* gnuplot-nox' "$machine/log"
	[ "$(grep -c install "$machine/log")" -eq 1 ]
}

# Folders of one library each, as modules have them, of what pkg-config finds here.
elsewhere()
{
	local name=$1 package=$2 header=$3 library=$4 folder
	mkdir -p "$machine/$name/include" "$machine/$name/$5"
	for folder in $(pkg-config --cflags-only-I "$package" | sed 's/-I//g') /usr/include; do
		[ ! -e "$folder/$header" ] || break
	done
	ln -s "$folder"/* "$machine/$name/include/"
	for folder in $(pkg-config --libs-only-L "$package" | sed 's/-L//g') $(pkg-config --variable=libdir "$package"); do
		[ ! -e "$folder/lib$library.so" ] || break
	done
	ln -s "$folder/lib$library".* "$machine/$name/$5/"
}

@test "libraries from folders of their own" {
	elsewhere hdf5 hdf5 hdf5.h hdf5 lib64
	elsewhere png libpng png.h png lib
	mkdir -p "$machine/random123/include"
	ln -s /usr/include/Random123 "$machine/random123/include"
	HDF5_DIR=$machine/hdf5 PNG_DIR=$machine/png RANDOM123_DIR=$machine/random123 run pipelines/make/libraries
	[ "$status" -eq 0 ]
	[[ $output == "-I$machine/hdf5/include "*"|-L$machine/hdf5/lib64 -Wl,-rpath,$machine/hdf5/lib64 -lhdf5 "*"-lpng"* ]]
	gcc -fopenmp -D_GNU_SOURCE ${output%%|*} -o "$machine/probe" pipelines/make/probe.c ${output#*|}
	readelf -d "$machine/probe" | grep -q "R.*PATH.*$machine/hdf5/lib64"
	PATH=$PATH run "$machine/probe" "$machine"
	[[ $output == *hdf5* ]] || [[ $output == *HDF5* ]]
}

@test "a folder without the library is named; a library by another name of pkg-config" {
	mkdir "$machine/empty"
	JPEG_DIR=$machine/empty run pipelines/make/libraries
	[[ $output == *"libraries: JPEG_DIR=$machine/empty: include/jpeglib.h or lib/libjpeg is not there"* ]]
	JPEG_DIR=$machine/empty run pipelines/make/libraries JPEG
	[ "$status" -eq 1 ]
	PNG_PKG=libpng16 run pipelines/make/libraries PNG
	[ "$status" -eq 0 ]
	# what pkg-config does not know may be on the compiler's own paths, as with a module
	printf '#!/bin/bash\nexit 1\n' >"$machine/pkg-config"
	mkdir "$machine/include"
	touch "$machine/include/"{hdf5,png,jpeglib,jansson,xxhash}.h
	PATH=$machine:$PATH run pipelines/make/libraries
	[[ $output == *'|-lhdf5 -lpng -ljpeg -ljansson -lcrypto -lxxhash' ]]
	PATH=$machine:$PATH CPATH=$machine/include run pipelines/make/libraries HDF5
	[ "$status" -eq 0 ]
	PATH=$machine:$PATH run pipelines/make/libraries HDF5
	[ "$status" -eq 1 ]
}
