# Sourced by the demos and the end-to-end test: starts and stops the Collector,
# Jaeger, the simulated inference server and the stories, and leaves nothing behind.
#
#   check_machine; open_session NAME COLLECTOR; start_jaeger; start_collector [CONFIG...]; run_engine SECONDS FAULTS or run_story NAME STEPS; stop_collector
#
# $session is the folder with what is kept.
# shellcheck shell=bash
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
demo=$repository/testdata/demo
engine=$repository/testdata/fakecuda/out/engine
workload=$repository/testdata/fakecuda/out/workload
llmserver=$repository/testdata/llmserver/out/llmserver
scripts=$repository/testdata/scenarios/workloads
tracetree=$repository/_build/tracetree
session= scratch= collector= mounted_tracefs=
collector_pid= jaeger_pid= engine_pid= keeper_pid=

if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
	bold=$'\e[1m' faint=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
	bold='' faint='' green='' red='' plain=''
fi

title() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }
step() { printf '  %s%-10s%s %s\n' "$green" "$1" "$plain" "$2"; }

# fail explains, shows the end of the log where one is given, and ends.
fail() {
	printf '\n%s%s%s\n' "$red" "$1" "$plain" >&2
	if [[ -n ${2:-} && -s $2 ]]; then
		printf '\nThe end of %s:\n' "$2" >&2
		tail -n 20 "$2" | sed -E 's/\{"resource": \{[^}]*\}(, )?/{/; s/^/  /' | cut -c1-240 >&2
	fi
	exit 1
}

check_machine() {
	[[ $(uname -s) == Linux ]] || fail "The probes are eBPF programs: this needs Linux, 5.15 or newer. See README.md for what works where."
	[[ $(id -u) == 0 ]] || fail "Loading eBPF programs needs root: run it again with sudo. docs/privileges.md tells which capabilities are enough."
	[[ -r /sys/kernel/btf/vmlinux ]] || fail "This Linux kernel has no type information (/sys/kernel/btf/vmlinux): CONFIG_DEBUG_INFO_BTF is needed."
}

# open_session NAME COLLECTOR makes the folders and what is built quickly.
open_session() {
	collector=$(realpath "$2" 2>/dev/null || true)
	[[ -x $collector ]] || fail "There is no Collector at $2: make build"
	[[ -x $engine ]] || fail "There is no simulated inference server: make fakecuda"
	trap close_session EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	session=$(mktemp -d "${TMPDIR:-/tmp}/gpucause-$1.XXXXXX")
	chmod 755 "$session"
	scratch=$(mktemp -d "$(disk)/gpucause-$1.XXXXXX")
	export GPUCAUSE_DEMO_DIR=$session
	build_tracetree
	mount_tracefs
}

# disk prints a folder for files that are really read and written: on tmpfs
# nothing would wait.
disk() {
	local folder
	for folder in "${TMPDIR:-/var/tmp}" /var/tmp "$repository/testdata/fakecuda/out"; do
		case $(stat -f -c %T "$folder" 2>/dev/null) in
		'' | tmpfs | ramfs) ;;
		*) printf '%s\n' "$folder" && return ;;
		esac
	done
	fail "No folder on a disk: set TMPDIR to one, as the demo waits for a disk."
}

build_tracetree() {
	if command -v go >/dev/null; then
		(cd "$repository" && go build -buildvcs=false -o "$tracetree" ./internal/cmd/tracetree)
	fi
	[[ -x $tracetree ]] || fail "There is no $tracetree, and no go on PATH to build it with."
}

# mount_tracefs is for Linux kernels that attach uprobes one by one.
mount_tracefs() {
	local version
	version=$(uname -r)
	if [[ $(printf '%s\n6.6\n' "$version" | sort -V | head -n 1) == 6.6 || -e /sys/kernel/tracing/uprobe_events ]]; then
		return
	fi
	mount -t tracefs tracefs /sys/kernel/tracing || fail "tracefs is needed before Linux 6.6, and mounting it did not work."
	mounted_tracefs=yes
}

# free_ports N prints N different ports that nobody listens on.
free_ports() {
	local port count=0
	for port in $(shuf -i 20000-32000 -n 200); do
		if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			printf '%s\n' "$port"
			count=$((count + 1))
			[[ $count -lt $1 ]] || return 0
		fi
	done
}

# get URL prints what http://HOST:PORT/PATH answers; false unless it is 200. By the
# shell alone: not every machine has an HTTP client.
get() {
	local address=${1#http://} connection answer
	local host=${address%%:*} port=${address#*:}
	port=${port%%/*}
	{ exec {connection}<>"/dev/tcp/$host/$port"; } 2>/dev/null || return 1
	printf 'GET /%s HTTP/1.0\r\nHost: %s\r\n\r\n' "${address#*/}" "$host" >&"$connection"
	answer=$(timeout 5 cat <&"$connection" | tr -d '\r')
	exec {connection}>&-
	[[ ${answer%%$'\n'*} == HTTP/1.?' 200'* ]] || return 1
	printf '%s\n' "${answer#*$'\n\n'}"
}

# wait_for URL PID SECONDS waits until URL answers; false when PID ends or time is over.
wait_for() {
	local deadline=$((SECONDS + $3))
	until get "$1" >/dev/null; do
		if ! kill -0 "$2" 2>/dev/null || [[ $SECONDS -ge $deadline ]]; then
			return 1
		fi
		sleep 0.1
	done
}

# start_collector [CONFIG...] starts it with the demo's configuration and these merged over it.
start_collector() {
	local config configs=(--config "$demo/collector.yaml")
	for config in "$@"; do configs+=(--config "$config"); done
	GPUCAUSE_DEMO_HEALTH_PORT=$(free_ports 1)
	export GPUCAUSE_DEMO_HEALTH_PORT
	# In its own process group: Ctrl-C is ours, and we stop it after its sources.
	setsid "$collector" "${configs[@]}" >"$session/collector.log" 2>&1 &
	collector_pid=$!
	wait_for "http://127.0.0.1:$GPUCAUSE_DEMO_HEALTH_PORT/" "$collector_pid" 20 ||
		fail "The Collector did not become ready." "$session/collector.log"
	step collector "ready: eBPF programs loaded into Linux $(uname -r)"
}

# run_engine SECONDS FAULTS runs the inference server to its end.
run_engine() {
	step engine "an inference server on a simulated CUDA runs for $1 s"
	OTEL_SERVICE_NAME=vllm setsid "$engine" --seconds="$1" --faults="$2" --dir="$scratch" >"$session/engine.log" 2>&1 &
	engine_pid=$!
	local status=0
	wait "$engine_pid" || status=$?
	[[ $status == 0 ]] || fail "The inference server ended with status $status." "$session/engine.log"
	engine_pid=
}

# run_story NAME STEPS runs a script of a workload to its end; it begins when it is traced.
run_story() {
	local status=0 ready=$scratch/$1.ready begin=$scratch/$1.go
	OTEL_SERVICE_NAME=$1 setsid "$workload" "$scripts/$1.wl" --steps="$2" --dir="$scratch" \
		--ready="$ready" --go="$begin" >"$session/$1.log" 2>&1 &
	engine_pid=$!
	until [[ -e $ready ]] || ! kill -0 "$engine_pid" 2>/dev/null; do sleep 0.05; done
	sleep 0.6
	touch "$begin"
	wait "$engine_pid" || status=$?
	[[ $status == 0 ]] || fail "The workload $1 ended with status $status." "$session/$1.log"
	engine_pid=
}

# run_llmserver FLAGS... runs the completion server and its load, and leaves in
# verdicts.jsonl what every request met. Its spans go to $GPUCAUSE_OTLP_PORT.
run_llmserver() {
	local status=0
	[[ -x $llmserver ]] || fail "There is no completion server: make llmserver"
	step llmserver "a completion server on a simulated CUDA answers requests"
	OTEL_SERVICE_NAME=vllm OTEL_BSP_SCHEDULE_DELAY=${OTEL_BSP_SCHEDULE_DELAY:-1000} setsid "$llmserver" demo \
		--endpoint="127.0.0.1:$GPUCAUSE_OTLP_PORT" --out="$session" "$@" -- --dir="$scratch" >"$session/llmserver.log" 2>&1 &
	engine_pid=$!
	wait "$engine_pid" || status=$?
	[[ $status == 0 ]] || fail "The completion server ended with status $status." "$session/llmserver.log"
	engine_pid=
	"$llmserver" verdicts --engine-truth="$session/engine-truth.jsonl" --client-truth="$session/client-truth.jsonl" >"$session/verdicts.jsonl"
}

# keep_attached has a process map the libraries from now on: what follows is traced
# from its first call.
keep_attached() {
	setsid "$workload" - <<<'sleep 600s' >/dev/null 2>&1 &
	keeper_pid=$!
	sleep 1.5
}

# stop_collector lets it finish what it has; 15 s are three times what it may take.
stop_collector() {
	local status=0
	kill -INT "$collector_pid" 2>/dev/null || true
	wait_for_end "$collector_pid" 15 || fail "The Collector did not stop within 15 s." "$session/collector.log"
	wait "$collector_pid" || status=$?
	collector_pid=
	[[ $status == 0 ]] || fail "The Collector ended with status $status." "$session/collector.log"
	[[ -s $session/traces.jsonl ]] || fail "The Collector wrote no traces." "$session/collector.log"
}

# start_jaeger sets $jaeger to its address.
start_jaeger() {
	local program ports
	program=$("$repository/packaging/jaeger/get.sh")
	mapfile -t ports < <(free_ports 3)
	export GPUCAUSE_JAEGER_OTLP_PORT=${ports[0]} GPUCAUSE_JAEGER_HTTP_PORT=${ports[1]} GPUCAUSE_JAEGER_GRPC_PORT=${ports[2]}
	jaeger=http://127.0.0.1:$GPUCAUSE_JAEGER_HTTP_PORT
	setsid "$program" --config "file:$repository/packaging/jaeger/config.yaml" >"$session/jaeger.log" 2>&1 &
	jaeger_pid=$!
	wait_for "$jaeger/api/v3/services" "$jaeger_pid" 20 || fail "Jaeger did not become ready." "$session/jaeger.log"
	step jaeger "ready at $jaeger"
}

# wait_for_end PID SECONDS is false when a process of the group PID is still there then.
wait_for_end() {
	local deadline=$((SECONDS + $2))
	while kill -0 -- "-$1" 2>/dev/null; do
		[[ $SECONDS -lt $deadline ]] || return 1
		sleep 0.1
	done
}

# end PID stops a process group that we started, gently at first.
end() {
	[[ -n $1 ]] || return 0
	kill -TERM -- "-$1" 2>/dev/null || return 0
	wait_for_end "$1" 10 || kill -KILL -- "-$1" 2>/dev/null || true
}

close_session() {
	local status=$?
	trap '' INT TERM HUP
	end "$engine_pid"
	end "$keeper_pid"
	end "$collector_pid"
	end "$jaeger_pid"
	[[ -z $scratch ]] || rm -rf "$scratch"
	[[ -z $mounted_tracefs ]] || umount /sys/kernel/tracing || true
	exit "$status"
}

# The chain that the demo in Jaeger shows: a launch waits for a lock, and the
# thread that holds it waits for the disk.
chain_summary='^dispatch cycle .*blocked on a futex .*woken by kv-offload .*storage I/O'
chain_tree='cudaLaunchKernel.*─ cuLaunchKernel.*─ blocked: futex .*woken by kv-offload.*─ blocked: io .*kv-offload'

columns() {
	local width
	width=$([[ -t 1 ]] && tput cols 2>/dev/null || echo 120)
	printf '%s\n' $((width < 100 ? 100 : width > 140 ? 140 : width))
}

# print_chain prints the worst one. On a busy machine the holder may have waited
# more for a CPU than for the disk; then the tree shows both.
print_chain() {
	local file=$session/traces.jsonl width
	width=$(columns)
	"$tracetree" --file "$file" --top 1 --by off-cpu --width "$width" --summary-match "$chain_summary" --require "$chain_tree" 2>/dev/null ||
		"$tracetree" --file "$file" --top 1 --by off-cpu --width "$width" --require "$chain_tree" ||
		fail "The chain that was made was not found: the launch that waits for a lock whose holder waits for the disk." "$session/collector.log"
}
