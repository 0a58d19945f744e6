#!/usr/bin/env bash
# run.sh [KERNEL...]: runs the tests of internal/capture on other Linux kernels, in
# virtual machines without KVM, and prints which test passed on which. KERNEL is a
# series, such as 6.12, or newest, for another architecture arm64:6.12. "run.sh
# list" prints the series that there are.
#
# GPUCAUSE_KERNELS          where kernels are kept; default: the user's cache folder
# GPUCAUSE_KERNEL_SOURCES   see fetch.sh
# GPUCAUSE_KERNEL_TESTS_OF  tests to run, in words; default: those in tests
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export GPUCAUSE_KERNELS=${GPUCAUSE_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/gpucause/kernels}
readonly timeout=900
declare -A cell took release
failed=0

require() {
	command -v "$1" >/dev/null && return
	printf 'SKIPPED: the tests on other Linux kernels need %s (package %s)\n' "$1" "$2"
	exit 0
}

own_architecture() { dpkg --print-architecture; }

# split sets arch and series of "arm64:6.12" or "6.12".
split() {
	arch=$(own_architecture) series=$1
	[[ $1 != *:* ]] || arch=${1%%:*} series=${1#*:}
}

# prepare makes the initramfs of an architecture, once.
prepare() {
	local folder=$GPUCAUSE_KERNELS/build-$1
	[[ -z ${release[build-$1]:-} ]] || return 0
	mkdir -p "$folder"
	tr ' ' '\n' <<<"${GPUCAUSE_KERNEL_TESTS_OF:-$(cat "$here/tests")}" >"$folder/tests"
	"$here/initramfs.sh" "$1" "$folder"
	release[build-$1]=made
}

# boot runs a kernel's virtual machine; its console is kept in the file log.
boot() {
	local kernel=$GPUCAUSE_KERNELS/$arch-$series initramfs=$GPUCAUSE_KERNELS/build-$arch/initramfs.gz status=0
	if [[ -e $kernel/overlay.gz ]]; then
		cat "$initramfs" "$kernel/overlay.gz" >"$kernel/initramfs.gz"
		initramfs=$kernel/initramfs.gz
	fi
	"$here/boot.sh" "$arch" "$kernel/vmlinuz" "$initramfs" "$timeout" 2>&1 | tr -d '\r' >"$log" || status=$?
	return "$status"
}

# judge reads how every test ended: passed; part: some mechanisms are not of that
# kernel; none: none is; or FAILED.
judge() {
	awk -v failures="$log.failures" '
		/^=== RUN   [^\/]*$/ { text = ""; skips = passes = bad = 0 }
		/^== kernel / { print "kernel", $3, $6; next }
		/^== end/ { ended = 1 }
		/^== test / {
			result = "passed"
			if ($4 != 0 || bad || none) result = "FAILED"
			else if (skips && passes) result = "part"
			else if (skips) result = "none"
			print $3, result, $5
			if (result == "FAILED") printf "%s\n", text >>failures
			text = ""; none = 0
			next
		}
		{ text = text $0 "\n" }
		/mechanism [a-z]+ needs Linux/ { wanted++ }
		/^testing: warning: no tests to run/ { none = 1 }
		/^ *--- SKIP: [^ ]*\// { if (wanted > 0) { wanted--; skips++ } else bad = 1 }
		/^--- SKIP: / { bad = 1 }
		/^    --- PASS: / { passes++ }
		END { if (!ended) print "machine", "FAILED", 0 }' "$log"
}

# run_kernel tests one kernel and notes the results.
run_kernel() {
	local name=$1 log test result seconds started=$SECONDS arch series
	split "$name"
	log=$GPUCAUSE_KERNELS/$arch-$series.log
	rm -f "$log.failures"
	prepare "$arch"
	if [[ $series == newest || ! -e $GPUCAUSE_KERNELS/$arch-$series/vmlinuz ]]; then
		"$here/fetch.sh" "$arch" "$series" "$GPUCAUSE_KERNELS/$arch-$series" || {
			cell[$name/machine]=FAILED failed=1
			return 0
		}
	fi
	boot || true
	# The emulation of some processors' instructions had errors before QEMU 8.
	if grep -qE 'Oops: int3|double fault' "$log"; then
		printf '%s: the virtual machine died, once more\n' "$name"
		boot || true
	fi
	while read -r test result seconds; do
		if [[ $test == kernel ]]; then
			release[$name]=$result
			continue
		fi
		cell[$name/$test]="$result ${seconds}s"
		[[ $result != FAILED ]] || failed=1
	done < <(judge)
	took[$name]=$((SECONDS - started))
	printf '%s: Linux %s, %s s\n' "$name" "${release[$name]:-not booted}" "${took[$name]}"
	[[ ! -s $log.failures ]] || cat "$log.failures"
	# A test may pass although the Linux kernel was harmed.
	if grep -E 'Oops|BUG:|WARNING:|Kernel panic|soft lockup|rcu.*stall' "$log"; then
		cell[$name/machine]=FAILED failed=1
	fi
}

table() {
	local name test
	printf '\n| test |'
	printf ' %s |' "$@"
	printf '\n|---|'
	printf -- '---|%.0s' "$@"
	printf '\n| release |'
	for name; do printf ' %s |' "${release[$name]:-}"; done
	printf '\n'
	for test in $tests machine; do
		printf '| %s |' "$test"
		for name; do printf ' %s |' "${cell[$name/$test]:-}"; done
		printf '\n'
	done
	printf '| seconds |'
	for name; do printf ' %s |' "${took[$name]:-}"; done
	printf '\n'
}

main() {
	if [[ ${1:-} == list ]]; then
		"$here/fetch.sh" "$(own_architecture)" list
		return
	fi
	local name tests=${GPUCAUSE_KERNEL_TESTS_OF:-$(tr '\n' ' ' <"$here/tests")}
	(($# > 0)) || set -- 6.1 6.12 newest
	require qemu-system-x86_64 'qemu-system-x86, 10 or later'
	require busybox busybox-static
	require cpio cpio
	require readelf binutils
	if [[ $* == *arm64:* ]]; then
		require qemu-system-aarch64 'qemu-system-arm, 10 or later'
		require aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
	fi
	mkdir -p "$GPUCAUSE_KERNELS"
	for name; do run_kernel "$name"; done
	table "$@"
	return "$failed"
}

main "$@"
