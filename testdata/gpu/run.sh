#!/usr/bin/env bash
# run.sh [COLLECTOR] [FOLDER]: on a machine with an NVIDIA GPU, traces small PyTorch
# loops and compares the Collector's call counts with those of PyTorch's profiler.
# Needs root, and a Python with PyTorch. What was measured stays in FOLDER.
#
# GPUCAUSE_GPU_PYTHON  the Python to use; default: python3
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
python=${GPUCAUSE_GPU_PYTHON:-python3}
collector=${1:-$repository/_build/otelcol-gpucause}
folder=${2:-$repository/_build/gpu/$(date +%Y%m%d-%H%M%S)}
collector_pid=
export PYTHONDONTWRITEBYTECODE=1

fail() {
	printf '%s\n' "$1" >&2
	exit 1
}

check_machine() {
	compgen -G '/dev/nvidia[0-9]*' >/dev/null ||
		fail 'no NVIDIA GPU found: there is no /dev/nvidia0. This check needs a machine with one and its driver; make demo and make test-vendor-libs need none.'
	[[ $(id -u) == 0 ]] || fail 'loading eBPF programs needs root: run it again with sudo, or set GPUCAUSE_GPU_PYTHON and run it as root'
	[[ -x $collector ]] || fail "there is no Collector at $collector: make build"
	"$python" -c 'import torch; assert torch.cuda.is_available(), "PyTorch does not see the GPU"' ||
		fail "$python has no PyTorch that can use the GPU: set GPUCAUSE_GPU_PYTHON to one that has"
}

describe_machine() {
	uname -a
	"$python" --version
	"$python" -m torch.utils.collect_env 2>/dev/null || true
	nvidia-smi -q 2>/dev/null || cat /proc/driver/nvidia/version || true
}

start_collector() {
	GPUCAUSE_GPU_DIR=$folder setsid "$collector" --config "$here/collector.yaml" >"$folder/collector.log" 2>&1 &
	collector_pid=$!
	for _ in {1..200}; do
		if grep -q 'Everything is ready' "$folder/collector.log"; then return; fi
		kill -0 "$collector_pid" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 20 "$folder/collector.log" >&2
	fail 'the Collector did not become ready'
}

stop_collector() {
	[[ -n $collector_pid ]] || return 0
	kill -INT "$collector_pid" 2>/dev/null || true
	wait "$collector_pid" || true
	collector_pid=
}

# loop NAME SCRIPT [ARGUMENT...]
loop() {
	local name=$1 script=$2
	shift 2
	printf 'running %s\n' "$name"
	OTEL_SERVICE_NAME=$name "$python" "$here/$script" --out "$folder/$name.json" "$@" >"$folder/$name.log" 2>&1 || {
		tail -n 20 "$folder/$name.log" >&2
		fail "$name failed"
	}
}

main() {
	check_machine
	mkdir -p "$folder"
	trap stop_collector EXIT
	describe_machine >"$folder/machine.txt" 2>&1
	start_collector
	loop inference inference.py
	loop training training.py
	loop inference-matmul inference.py --matmul
	loop training-matmul training.py --matmul
	stop_collector
	local status=0
	"$python" "$here/compare.py" "$folder/metrics.jsonl" \
		"$folder"/{inference,training,inference-matmul,training-matmul}.json | tee "$folder/table.txt" || status=$?
	printf '\nKept in %s: metrics.jsonl, traces.jsonl, what the profiler counted (*.json), table.txt, machine.txt, collector.log\n' "$folder"
	exit "$status"
}

main
