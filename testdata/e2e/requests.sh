#!/usr/bin/env bash
# requests.sh [COLLECTOR]: a client's requests to the completion server, whose
# engine has faults; the server's spans and the probes' stalls through the Collector
# into a real Jaeger and into files. Then requests_test.go compares every request's
# trace with what really happened to it. Needs root.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/../demo/session.sh"

requests=${GPUCAUSE_E2E_REQUESTS:-500}
export OTEL_BSP_SCHEDULE_DELAY=5000 # as vLLM has it: spans of requests come long after their stalls

main() {
	title "gpucause end to end: requests, simulated CUDA, probes, Collector, Jaeger"
	check_machine
	open_session e2e-requests "${1:-$repository/_build/otelcol-gpucause}"
	start_jaeger
	GPUCAUSE_OTLP_PORT=$(free_ports 1)
	export GPUCAUSE_OTLP_PORT
	start_collector "$demo/collector-jaeger.yaml" "$demo/collector-requests.yaml"
	run_llmserver --requests="$requests" --seconds=180 --workload=mixed --fault-every=300ms \
		--faults=lock,io,cpu,input,host_code,first_launch
	stop_collector
	printf '\n'
	cd "$repository"
	GPUCAUSE_E2E_JAEGER=$jaeger GPUCAUSE_E2E_TRACES=$session/traces.jsonl GPUCAUSE_E2E_VERDICTS=$session/verdicts.jsonl \
		go test -buildvcs=false -tags e2e -count=1 -v -run "^TestRequests" ./testdata/e2e ||
		fail "The end-to-end test failed; the files are in $session." "$session/collector.log"
	rm -rf "$session"
}

main "$@"
