#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs every program once and compares what it reports. Needs no GPU and no root.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

fail() { echo "FAIL: $*" >&2; exit 1; }
count() { # count FILE THREAD LAYER FUNCTION: the sum over threads of that name
	sed -n "s/.*\"thread\":\"$2\",\"layer\":\"$3\",\"function\":\"$4\",\"count\":\([0-9]*\).*/\1/p" "$1" | awk '{s += $1} END {print s + 0}'
}
exported() { nm -D --defined-only "$1" | grep -c ' p*nccl[A-Z]' || :; }
is() { [ "$2" = "$3" ] || fail "$1: want $3, got $2"; }

for program in workload workload-static; do
	timeout 20 out/$program scripts/calls.wl --truth="$tmp/calls" >/dev/null || fail "$program calls.wl"
done
timeout 20 out/workload-late scripts/late.wl >/dev/null || fail late.wl

timeout 20 out/workload scripts/threads.wl --dir="$tmp" --truth="$tmp/threads" >/dev/null || fail threads.wl
is "worker launches" "$(count "$tmp/threads" worker driver cuLaunchKernel)" 300
is "lock wait inside a launch" "$(grep -c '"kind":"lock","name":"m","inside":"cudaLaunchKernel"' "$tmp/threads")" 1

timeout 20 out/workload scripts/faults.wl --after=scripts/after-exec.wl --truth="$tmp/faults" >"$tmp/out" || fail faults.wl
grep -q "not reached" "$tmp/out" && fail "a fault did not happen"
is "longjmp and recursion" "$(count "$tmp/faults" workload driver cuLaunchKernel)" 30
is "grandchild" "$(count "$tmp/faults" grandchild driver cuLaunchKernel)" 1

timeout 20 out/test-gates >/dev/null || fail test-gates
timeout 20 out/test-nccl-abi >/dev/null || fail test-nccl-abi
for program in workload workload-static workload-torch workload-torch-hidden; do
	timeout 20 out/$program scripts/nccl.wl >/dev/null || fail "$program nccl.wl"
	timeout 20 out/$program scripts/nccl-ranks.wl --truth="$tmp/$program" --collectives=1 >"$tmp/out" || fail "$program nccl-ranks.wl"
	grep -q "not reached" "$tmp/out" && fail "$program: a rank did not wait for one that never came"
	is "$program: operations" "$(awk -f check-collectives.awk "$tmp/$program")" 1310
done
is "nested calls" "$(count "$tmp/workload" 'rank.' nccl ncclBroadcast)" 2400
is "launches inside" "$(count "$tmp/workload" 'rank.' driver cuLaunchKernelEx)" 3838
timeout 20 out/workload scripts/nccl-program.wl --file="$tmp/id" --rank=0 & other=$!
timeout 20 out/workload-torch scripts/nccl-program.wl --file="$tmp/id" --rank=1 || fail nccl-program.wl
wait "$other" || fail "nccl-program.wl, the other program"
timeout 60 out/workload ../scenarios/workloads/nccl-exact.wl --truth="$tmp/exact" --collectives=1 || fail nccl-exact.wl
is "nccl-exact.wl" "$(awk -f check-collectives.awk "$tmp/exact")" 10007
is "functions that libnccl exports" "$(exported out/libnccl.so.2)" "$(exported out/libfaketorch.so)"
is "functions of NCCL that its hidden twin exports" "$(exported out/libfaketorch-hidden.so)" 0
[ -z "$(find /dev/shm -name 'fakenccl.*' -user "$(id -un)" 2>/dev/null)" ] || fail "shared memory is left over"

timeout 20 out/publisher scripts/contexts.wl >"$tmp/places" || fail contexts.wl
is "places of thread contexts" "$(sort -u "$tmp/places" | wc -l)" 2
for library in out/libcontext-*.so; do
	printf 'context-library %s\ncontext-place\n' "$PWD/$library" | timeout 20 out/workload - >/dev/null || fail "$library"
done

timeout 20 out/liar >/dev/null || fail liar
[ ! -x out/thrower ] || out/thrower 100 >/dev/null || fail thrower
out/bench-calls cudaLaunchKernel 1000000 | awk '$2 > 1000 {exit 1}' || fail "launches are too slow"

timeout 20 out/engine --seconds=1 --faults=lock --dir="$tmp" --truth="$tmp/engine" >/dev/null || fail engine
grep -q '"kind":"lock","name":"kv-cache","inside":"cudaLaunchKernel"' "$tmp/engine" || fail "engine: no lock wait"
echo ok
