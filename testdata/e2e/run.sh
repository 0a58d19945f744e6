#!/usr/bin/env bash
# run.sh [COLLECTOR]: the inference server, traced by the real probes, through
# the Collector into a real Jaeger and into files; then e2e_test.go reads both
# back and checks them. Needs root.
source "$(dirname "${BASH_SOURCE[0]}")/../demo/session.sh"

main() {
	title "gpucause end to end: simulated CUDA, probes, Collector, Jaeger"
	check_machine
	open_session e2e "${1:-$repository/_build/otelcol-gpucause}"
	start_jaeger
	start_collector "$demo/collector-jaeger.yaml"
	run_engine "${GPUCAUSE_DEMO_SECONDS:-12}" lock
	stop_collector
	printf '\n'
	cd "$repository"
	GPUCAUSE_E2E_JAEGER=$jaeger GPUCAUSE_E2E_TRACES=$session/traces.jsonl GPUCAUSE_E2E_SERVICE=vllm \
		go test -buildvcs=false -tags e2e -count=1 -v -run '^TestJaeger' ./testdata/e2e ||
		fail "The end-to-end test failed; the files are in $session." "$session/collector.log"
	rm -rf "$session"
}

main "$@"
