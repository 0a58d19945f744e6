#!/usr/bin/env bash
# run.sh [COLLECTOR]: traces one simulated workload after the other with the
# real probes, and tells why each was slow. Needs root; takes about a minute.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/session.sh"

steps=${GPUCAUSE_DEMO_STEPS:-400}

# What the tree of the trace to show must match, beyond the cause.
declare -A chain_of=(
	[lock-io]='─ cuLaunchKernel.*─ blocked: futex .*woken by offload.*─ blocked: io .*offload'
	[data-loader]='woken by loader.*─ blocked: io .*loader'
	[cpu-contention]='─ runnable: preempted .*CPU had by hog'
)
stories=(lock-io data-loader cpu-contention gpu-busy memory-bandwidth first-launch queue-full malloc-storm memcpy own-io page-fault host-code)

main() {
	local story
	title "gpucause demo: what is the GPU waiting for, and which thread owns the wait?"
	check_machine
	open_session demo "${1:-$repository/_build/otelcol-gpucause}"
	start_collector
	cat <<-TEXT

		Each story is a program on a simulated CUDA whose steps take about 2 ms, until something gets in their way. Nothing in
		the programs is changed: probes in the Linux kernel see their calls and context switches. Read the trees downwards: what
		is below a wait is what the thread that ended it was doing meanwhile. Times are in ms since the step began.
	TEXT
	for story in "${stories[@]}"; do tell "$story"; done
	tell_collective
	tell_healthy
	stop_collector
	cat <<-TEXT

		${faint}Told in $SECONDS s. Kept in $session: traces.jsonl, metrics.jsonl (OTLP, one message per line), collector.log
		More of it: ${tracetree#"$PWD"/} --file $session/traces.jsonl --by off-cpu --top 5 --stacks
		What every cause means, and how it can mislead: docs/causes.md${plain}
	TEXT
}

# header NAME LINE prints a line of the script's header.
header() { sed -n "$2s/^# //p" "$scripts/$1.wl"; }

# expected NAME prints the cause that the script was written for.
expected() { header "$1" 2 | sed 's/^Expected: //; s/[;,].*//'; }

# perform NAME runs a story and leaves its traces alone in NAME.jsonl.
perform() {
	local before
	before=$(messages)
	run_story "$1" "$steps"
	sleep 1 # until its last step has settled and is written
	sed -n "$((before + 1)),$(messages)p" "$session/traces.jsonl" >"$session/$1.jsonl"
}

# messages prints how many messages the Collector has written whole.
messages() {
	touch "$session/traces.jsonl"
	wc -l <"$session/traces.jsonl"
}

# tell NAME performs a story and prints its worst stall with the expected cause. On
# a busy machine another cause may come in between: then it is performed again.
tell() {
	local cause try
	cause=$(expected "$1")
	title "$(header "$1" 1)"
	for try in 1 2 3; do
		perform "$1"
		if "$tracetree" --file "$session/$1.jsonl" --top 1 --keep 2 --width "$(columns)" \
			--require "dispatch cycle .*of $1 .*cause $cause.*${chain_of[$1]:-}" >"$session/$1.txt"; then
			cat "$session/$1.txt"
			return
		fi
		printf '  not told as %s (run %s of 3)\n' "$cause" "$try"
	done
	fail "The story $1 was not told as $cause." "$session/collector.log"
}

# tell_collective performs the story of four ranks, and prints the stall of one that
# waited and what the connector says of the collective.
tell_collective() {
	local story=nccl-late-loader try
	title "$(header "$story" 1)"
	keep_attached
	for try in 1 2 3; do
		perform "$story"
		if "$tracetree" --file "$session/$story.jsonl" --top 1 --keep 2 --width "$(columns)" \
			--require "was for rank 2 .*cause collective_wait" >"$session/$story.txt" &&
			"$tracetree" --file "$session/$story.jsonl" --top 1 --width "$(columns)" \
				--require 'collective verdict' >>"$session/$story.txt"; then
			cat "$session/$story.txt"
			return
		fi
		printf '  rank 2 was not told to be late (run %s of 3)\n' "$try"
	done
	fail "The story $story was not told." "$session/collector.log"
}

# On a busy machine even these steps wait for a CPU; then it says for whom.
tell_healthy() {
	local told=$session/healthy.txt
	title "$(header healthy 1)"
	perform healthy
	"$tracetree" --file "$session/healthy.jsonl" --brief --summary-match '^dispatch cycle of healthy took' --width "$(columns)" >"$told"
	printf '  %s steps, %s of them told as stalls\n' "$steps" "$(grep -c '^- ' "$told" || true)"
	head -n 6 "$told"
}

main "$@"
