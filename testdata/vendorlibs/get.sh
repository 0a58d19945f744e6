#!/usr/bin/env bash
# get.sh FOLDER: fetches NVIDIA's own CUDA driver and CUDA runtime, and NCCL,
# from the non-free and contrib sections of the Debian mirrors that this system
# is set up with, and unpacks them under FOLDER. Nothing is installed, and the
# system's package lists are not touched. The libraries are NVIDIA's, under
# NVIDIA's licence: they must not be committed or handed on.
#
# Exit status 3: not to be had here (no Debian mirror, or none with the packages).
#
# GPUCAUSE_VENDOR_SUITES  suites to look in; default: this system's, and stable
set -euo pipefail

folder=$(realpath -m "${1:?usage: get.sh FOLDER}")
packages='^(libcuda1|libcudart[0-9.]+|libnccl2)$'

unavailable() {
	printf 'not available: %s\n' "$1" >&2
	exit 3
}

# mirrors prints "URI KEYRING" of every Debian archive in the system's sources,
# both of their formats, that has the system's own suite.
mirrors() {
	local codename=$1 file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[[ -r $file ]] || continue
		awk -v suite="$codename" '$1 == "deb" {
			keyring = ""
			if (match($0, /signed-by=[^] ]*/)) keyring = substr($0, RSTART + 10, RLENGTH - 10)
			sub(/\[[^]]*\]/, "")
			if ($3 == suite) print $2, keyring
		}' "$file"
	done
	for file in /etc/apt/sources.list.d/*.sources; do
		[[ -r $file ]] || continue
		awk -v suite="$codename" '
			function flush() { if (found) print uri, keyring; found = 0; uri = keyring = "" }
			/^[ \t]*$/ { flush() }
			/^URIs:/ { uri = $2 }
			/^Signed-By:/ { keyring = $2 }
			/^Suites:/ { for (i = 2; i <= NF; i++) if ($i == suite) found = 1 }
			END { flush() }' "$file"
	done
}

# isolate points apt at a root of its own under $folder.
isolate() {
	mkdir -p "$folder"/apt/{state/lists/partial,cache/archives/partial,etc}
	: >"$folder/apt/state/status"
	: >"$folder/apt/etc/sources.list"
	export APT_CONFIG=$folder/apt/apt.conf
	cat >"$APT_CONFIG" <<-CONF
		Dir::State "$folder/apt/state";
		Dir::State::status "$folder/apt/state/status";
		Dir::Cache "$folder/apt/cache";
		Dir::Etc::sourcelist "$folder/apt/etc/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		APT::Install-Recommends "false";
		APT::Sandbox::User "root";
		Acquire::Languages "none";
	CONF
}

main() {
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || unavailable 'this is not a Debian system'
	# shellcheck source=/dev/null
	source /etc/os-release
	[[ ${ID:-} == debian ]] || unavailable "this is ${ID:-unknown}, and the packages are Debian's"
	local suites=${GPUCAUSE_VENDOR_SUITES:-$VERSION_CODENAME stable} uri keyring suite options
	isolate
	while read -r uri keyring; do
		options=${keyring:+[signed-by=$keyring] }
		for suite in $suites; do
			printf 'deb %s%s %s contrib non-free\n' "$options" "$uri" "$suite" >>"$folder/apt/etc/sources.list"
		done
	done < <(mirrors "$VERSION_CODENAME" | sort -u)
	[[ -s $folder/apt/etc/sources.list ]] || unavailable "no Debian mirror for $VERSION_CODENAME in this system's apt sources"
	apt-get -q update >"$folder/apt/update.log" 2>&1 || unavailable "apt-get update failed: $(tail -n 1 "$folder/apt/update.log")"
	fetch
}

# fetch downloads every version of every package that the suites have.
fetch() {
	local found=0 name version target
	while read -r name version; do
		target=$folder/${name}_${version//:/-}
		if [[ ! -d $target ]]; then
			(cd "$folder/apt/cache" && apt-get -q download "$name=$version" >>"$folder/apt/update.log" 2>&1) || continue
			mkdir "$target"
			dpkg-deb -x "$folder"/apt/cache/"$name"_*.deb "$target"
			rm -f "$folder"/apt/cache/"$name"_*.deb
		fi
		printf '%s %s\n' "$name" "$version"
		found=$((found + 1))
	done < <(apt-cache pkgnames | grep -E "$packages" | sort | xargs -r apt-cache madison | awk -F ' *[|] *' '{ gsub(/ /, "", $1); print $1, $2 }' | sort -u)
	[[ $found -gt 0 ]] || unavailable 'the mirrors have no non-free section with CUDA libraries'
}

main
