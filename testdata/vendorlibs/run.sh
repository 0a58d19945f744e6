#!/usr/bin/env bash
# run.sh: checks the probes against NVIDIA's own libraries. Needs no GPU; as
# root, it also traces calls into them.
#
# GPUCAUSE_VENDOR_LIBS  a folder below which the libraries are, or "system" for
#                       the installed ones; default: those, or else what get.sh
#                       can fetch
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)

skip() {
	printf '\nSKIPPED: the probes were not checked against NVIDIA'\''s own libraries: %s\n' "$1"
	printf '%s\n\n' 'Install libcuda.so.1 (the driver) and libcudart, or name a folder with them: GPUCAUSE_VENDOR_LIBS=FOLDER make test-vendor-libs'
	exit 0
}

choose() {
	local status=0
	if [[ -n ${GPUCAUSE_VENDOR_LIBS:-} ]]; then
		return
	fi
	if /sbin/ldconfig -p | grep -qE 'libcuda(rt)?\.so\.'; then
		export GPUCAUSE_VENDOR_LIBS=system
		return
	fi
	export GPUCAUSE_VENDOR_LIBS=$repository/_build/vendorlibs
	printf 'Fetching from the non-free section of this system'\''s Debian mirror into %s:\n' "$GPUCAUSE_VENDOR_LIBS"
	"$here/get.sh" "$GPUCAUSE_VENDOR_LIBS" || status=$?
	[[ $status != 3 ]] || skip 'none are installed, and none can be fetched here.'
	[[ $status == 0 ]] || exit "$status"
}

main() {
	choose
	command -v cc >/dev/null || skip 'there is no C compiler.'
	cd "$repository"
	local tests='TestVendorSites|TestVendorCalls'
	if [[ $(id -u) == 0 ]]; then
		export GPUCAUSE_KERNEL_TESTS=1
	else
		tests=TestVendorSites
		printf 'SKIPPED: tracing calls into the libraries needs root; only the probe sites are checked\n'
	fi
	go test -count=1 -v -run "^($tests)\$" ./internal/capture
}

main
