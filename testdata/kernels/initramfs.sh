#!/usr/bin/env bash
# initramfs.sh ARCH FOLDER: builds FOLDER/initramfs.gz: FOLDER/tests, the test
# program of internal/capture, the simulated CUDA stack with its C library, busybox and init.
set -euo pipefail

arch=${1:?usage: initramfs.sh ARCH FOLDER}
folder=${2:?usage: initramfs.sh ARCH FOLDER}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
tree=$folder/tree

# own says whether programs of the architecture run here.
own() { [[ $arch == "$(dpkg --print-architecture)" ]]; }

# build_fakecuda builds the simulated CUDA stack and prints its folder.
build_fakecuda() {
	if own; then
		make -s -C "$repository/testdata/fakecuda" >&2
		printf '%s\n' "$repository/testdata/fakecuda/out"
		return
	fi
	make -s -C "$repository/testdata/fakecuda" O="$folder/fakecuda" CC="$(compiler)" CXX=none >&2
	printf '%s\n' "$folder/fakecuda"
}

compiler() {
	case $arch in
	amd64) echo x86_64-linux-gnu-gcc ;;
	arm64) echo aarch64-linux-gnu-gcc ;;
	esac
}

# copy_libc copies the dynamic loader and the C library to where programs look for them.
copy_libc() {
	local compiler loader
	compiler=$(compiler)
	if own; then compiler=cc; fi
	loader=$(LC_ALL=C readelf -l "$1" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
	mkdir -p "$tree$(dirname "$loader")" "$tree/lib"
	cp -L "$("$compiler" -print-file-name="$(basename "$loader")")" "$tree$loader"
	# pthread_exit opens libgcc_s.
	cp -L "$("$compiler" -print-file-name=libc.so.6)" "$("$compiler" -print-file-name=libgcc_s.so.1)" "$tree/lib/"
}

# copy_busybox copies the static busybox, fetched where it is another architecture's.
copy_busybox() {
	local busybox=$folder/busybox
	if own; then
		busybox=$(command -v busybox)
	elif [[ ! -e $busybox ]]; then
		"$here/fetch.sh" "$arch" busybox "$folder"
	fi
	mkdir -p "$tree/bin"
	cp "$busybox" "$tree/bin/busybox"
	ln -s busybox "$tree/bin/sh"
}

main() {
	local out capture=$tree/gpucause/internal/capture fakecuda=$tree/gpucause/testdata/fakecuda
	rm -rf "$tree"
	mkdir -p "$tree"/{dev,proc,sys,tmp} "$capture" "$fakecuda" "$tree/gpucause/testdata/scenarios"
	out=$(build_fakecuda)
	cp -r "$out" "$fakecuda/out"
	rm -rf "$fakecuda/out/obj"
	cp -r "$repository/testdata/scenarios/workloads" "$tree/gpucause/testdata/scenarios/"
	(cd "$repository" && CGO_ENABLED=0 GOOS=linux GOARCH=$arch go test -c -ldflags='-s -w' -o "$capture/capture.test" ./internal/capture)
	copy_libc "$out/workload"
	copy_busybox
	install -m 0755 "$here/init" "$tree/init"
	cp "$folder/tests" "$tree/tests"
	(cd "$tree" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$folder/initramfs.gz"
	rm -rf "$tree"
}

main
