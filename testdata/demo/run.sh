#!/usr/bin/env bash
# run.sh [COLLECTOR]: traces a simulated inference server with the real probes
# and prints why a launch was slow. Needs root; takes about 15 seconds.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/session.sh"

seconds=${GPUCAUSE_DEMO_SECONDS:-10}
other_causes=('the first launch of this function' '^cudaStreamSynchronize took')

main() {
	title "gpucause demo: what is the GPU waiting for, and which thread owns the wait?"
	check_machine
	open_session demo "${1:-$repository/_build/otelcol-gpucause}"
	start_collector
	run_engine "$seconds" lock,firstlaunch,prefill
	stop_collector
	step traces "$(spans) spans, $(du -h "$session/traces.jsonl" | cut -f1) of OTLP"

	title "Why was this launch slow?"
	cat <<-TEXT
		It waited for a lock, and the thread that held the lock was waiting for the disk. Read it downwards:
		what is below a wait is what the thread that ended it was doing meanwhile. Times are in ms since the
		launch; all of them were taken in the Linux kernel, and nothing in the program was changed.

	TEXT
	print_chain
	print_others
	cat <<-TEXT

		${faint}Kept in $session: traces.jsonl, metrics.jsonl (OTLP, one message per line), collector.log
		More of it: ${tracetree#"$PWD"/} --file $session/traces.jsonl --by off-cpu --top 5 --stacks${plain}
	TEXT
}

spans() { grep -o '"spanId"' "$session/traces.jsonl" | wc -l; }

print_others() {
	local pattern
	title "Also in this run"
	for pattern in "${other_causes[@]}"; do
		"$tracetree" --file "$session/traces.jsonl" --brief --top 1 --summary-match "$pattern"
	done
}

main "$@"
