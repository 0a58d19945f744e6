#!/usr/bin/env bash
# jaeger.sh [--exit] [COLLECTOR]: the demo into a real Jaeger. Prints the address
# of the trace to look at and stays until Ctrl-C, or with --exit ends at once.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/session.sh"

seconds=${GPUCAUSE_DEMO_SECONDS:-10}
stay=yes

main() {
	if [[ ${1:-} == --exit ]]; then
		stay=
		shift
	fi
	title "gpucause demo: the causal chain in Jaeger"
	check_machine
	open_session demo-jaeger "${1:-$repository/_build/otelcol-gpucause}"
	GPUCAUSE_JAEGER_UI=$("$repository/packaging/jaeger/get-ui.sh" --cached || true)
	export GPUCAUSE_JAEGER_UI
	start_jaeger
	start_collector "$demo/collector-jaeger.yaml"
	run_engine "$seconds" lock,firstlaunch,prefill
	stop_collector

	local chain id
	chain=$(print_chain)
	id=$(sed -n 's/^trace \([0-9a-f]\{32\}\) .*/\1/p' <<<"$chain")
	wait_for "$jaeger/api/v3/traces/$id" "$jaeger_pid" 10 || fail "Jaeger does not have the trace $id." "$session/jaeger.log"

	title "The same trace, as Jaeger has it"
	printf '%s\n\n' "$chain"
	printf '  %sLook at it:%s   %s/trace/%s\n' "$bold" "$plain" "$jaeger" "$id"
	printf '  All traces:   %s/search?service=vllm\n' "$jaeger"
	printf '  As OTLP:      %s/api/v3/traces/%s\n' "$jaeger" "$id"
	explain_placeholder
	[[ -n $stay ]] || return 0
	printf '\n%sJaeger stays until Ctrl-C.%s\n' "$faint" "$plain"
	wait "$jaeger_pid" || fail "Jaeger ended." "$session/jaeger.log"
}

# A Jaeger that was built from its Go module has no pages, as its release has.
explain_placeholder() {
	get "$jaeger/" | grep -q 'not the Jaeger UI' || return 0
	cat <<-TEXT

		  This Jaeger was built from its Go module, which does not contain its pages: the addresses above
		  show a notice, the API works. For the pages, put a released jaeger (2.x) on PATH, or build them
		  once with packaging/jaeger/get-ui.sh (git, Node 24), and run this again.
	TEXT
}

main "$@"
