#!/usr/bin/env bash
# fetch.sh ARCH SERIES FOLDER: makes FOLDER/vmlinuz, and FOLDER/overlay.gz, an
# initramfs with overlay.ko, where that is a module, of the newest distribution kernel of a series (6.12), or of
# the newest of all (newest). Kernels come from the mirrors in this system's own
# apt sources, through an apt root of its own: nothing is installed, and the
# system's package lists are not touched.
# fetch.sh ARCH busybox FOLDER: makes FOLDER/busybox, of that architecture.
# fetch.sh ARCH list: prints the series that there are.
#
# Exit status 3: not to be had here.
#
# GPUCAUSE_KERNELS         where the apt root lies; default: as in run.sh
# GPUCAUSE_KERNEL_SUITES   suites of Debian mirrors to look in
# GPUCAUSE_KERNEL_SOURCES  a file with more apt sources, of Debian or Ubuntu
set -euo pipefail

arch=${1:?usage: fetch.sh ARCH SERIES FOLDER | fetch.sh ARCH list}
series=${2:?usage: fetch.sh ARCH SERIES FOLDER | fetch.sh ARCH list}
folder=${3:-}
root=${GPUCAUSE_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/gpucause/kernels}/apt-$arch
suites=${GPUCAUSE_KERNEL_SUITES:-bookworm bookworm-security bookworm-backports trixie trixie-security trixie-backports}

unavailable() {
	printf 'not available: %s\n' "$1" >&2
	exit 3
}

# mirrors prints "URI KEYRING SUITE" of what the system's sources name, in both of
# their formats.
mirrors() {
	local file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[[ -r $file ]] || continue
		awk '$1 == "deb" {
			keyring = "-"
			if (match($0, /signed-by=[^] ]*/)) keyring = substr($0, RSTART + 10, RLENGTH - 10)
			sub(/\[[^]]*\]/, "")
			print $2, keyring, $3
		}' "$file"
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		[[ -r $file ]] || continue
		awk '
			function flush(i) { for (i = 1; i <= n; i++) if (uri) print uri, keyring, suite[i]; n = 0; uri = ""; keyring = "-" }
			BEGIN { keyring = "-" }
			/^[ \t]*$/ { flush() }
			/^URIs:/ { uri = $2 }
			/^Signed-By:/ { keyring = $2 }
			/^Suites:/ { n = 0; for (i = 2; i <= NF; i++) suite[++n] = $i }
			END { flush() }' "$file"
	done
}

# sources prints the isolated root's sources: every suite at the mirror that has
# such suites of this system, the security archive or the other one.
sources() {
	local uri keyring suite wanted
	while read -r uri keyring suite; do
		for wanted in $suites; do
			[[ ${wanted%-security} == "$wanted" && $suite == "$VERSION_CODENAME" ||
				${wanted%-security} != "$wanted" && $suite == "$VERSION_CODENAME-security" ]] || continue
			[[ $keyring == - ]] && printf 'deb %s %s main\n' "$uri" "$wanted" || printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$uri" "$wanted"
		done
	done < <(mirrors | sort -u)
	[[ -z ${GPUCAUSE_KERNEL_SOURCES:-} ]] || cat -- "$GPUCAUSE_KERNEL_SOURCES"
}

# isolate points apt at a root of its own.
isolate() {
	mkdir -p "$root"/{state/lists/partial,cache/archives/partial}
	: >"$root/status"
	export APT_CONFIG=$root/apt.conf
	cat >"$APT_CONFIG" <<-CONF
		Dir::State "$root/state";
		Dir::State::status "$root/status";
		Dir::Cache "$root/cache";
		Dir::Etc::sourcelist "$root/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		APT::Sandbox::User "root";
		Acquire::Languages "none";
	CONF
}

# update reads the package lists, at most once in six hours.
update() {
	sources >"$root/sources.new"
	[[ -s $root/sources.new ]] || unavailable "no Debian mirror for $VERSION_CODENAME in this system's apt sources"
	if cmp -s "$root/sources.new" "$root/sources.list" && [[ -n $(find "$root/updated" -mmin -360 2>/dev/null) ]]; then
		return
	fi
	mv "$root/sources.new" "$root/sources.list"
	apt-get -q update >"$root/update.log" 2>&1 || printf 'some package lists were not read: %s\n' "$(grep -m 1 '^E:' "$root/update.log" || true)" >&2
	touch "$root/updated"
}

# packages prints the packages with a bootable image, newest first. Debian's cloud
# kernels and Ubuntu's generic ones have all that is needed built in; some of
# Debian's have the image in linux-binary.
packages() {
	apt-cache dumpavail | awk -v arch="$arch" '$1 == "Package:" &&
		$2 ~ "^linux-(image|binary)-[0-9]+[.][0-9]+[.][0-9].*-(cloud-" arch "|generic)$" { print $2 }' |
		sort -u | awk -F - '{ print $3 " " $0 }' | sort -Vr | awk '{ print $2 }'
}

series_of() { sed -E 's/^linux-[a-z]+-([0-9]+\.[0-9]+)\..*/\1/'; }

# unpack downloads a package and unpacks it under the folder.
unpack() {
	(cd "$root/cache" && rm -f -- *.deb && apt-get -q download "$1" >>"$root/update.log" 2>&1) || return 1
	dpkg-deb -x "$root"/cache/*.deb "$folder/unpacked"
	rm -f "$root"/cache/*.deb
}

# take moves what is needed out of the unpacked packages.
take() {
	local package=$1 image module
	image=$(compgen -G "$folder/unpacked/boot/vmlinuz-*" || compgen -G "$folder/unpacked/usr/lib/modules/*/vmlinuz") || return 1
	module=$(find "$folder/unpacked" -name 'overlay.ko*' -print -quit)
	if [[ -z $module ]] && unpack "linux-modules-${package#linux-*-}"; then
		module=$(find "$folder/unpacked" -name 'overlay.ko*' -print -quit)
	fi
	case $module in
	*.xz) xz -dc "$module" >"$folder/overlay.ko" ;;
	*.zst) zstd -qdc "$module" >"$folder/overlay.ko" || rm -f "$folder/overlay.ko" ;;
	*.ko) cp "$module" "$folder/overlay.ko" ;;
	esac
	# arm64 images may be compressed, which QEMU cannot boot.
	if gzip -t "$image" 2>/dev/null; then gzip -dc "$image" >"$folder/vmlinuz"; else cp "$image" "$folder/vmlinuz"; fi
	printf '%s\n' "$package" >"$folder/package"
	rm -rf "$folder/unpacked"
	if [[ -e $folder/overlay.ko ]]; then
		(cd "$folder" && cpio -o -H newc --quiet <<<overlay.ko | gzip -1 >overlay.gz)
	fi
}

main() {
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || unavailable 'this is not a Debian system'
	# shellcheck source=/dev/null
	source /etc/os-release
	isolate
	update
	case $series in
	list)
		packages | series_of | uniq
		return
		;;
	busybox)
		mkdir -p "$folder"
		unpack busybox-static || unavailable 'busybox-static'
		cp "$(find "$folder/unpacked" -path '*/bin/busybox' -type f -print -quit)" "$folder/busybox"
		rm -rf "$folder/unpacked"
		return
		;;
	esac
	if [[ $series == newest ]]; then
		series=$(packages | series_of | head -n 1 || true)
	fi
	local package
	while read -r package; do
		rm -rf "$folder"
		mkdir -p "$folder"
		if unpack "$package" && take "$package"; then
			return
		fi
	done < <(packages | grep -E "^linux-[a-z]+-${series//./\\.}\\." | head -n 4)
	rm -rf "$folder"
	unavailable "no kernel of series $series in: $suites"
}

main
