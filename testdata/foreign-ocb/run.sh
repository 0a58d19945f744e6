#!/usr/bin/env bash
# Proves that anybody's builder manifest can use the components: builds a Collector
# in a directory outside this repository, from a manifest that names nothing of
# ours but the module, and lists its components.
#
# Usage: testdata/foreign-ocb/run.sh
# Needs Go; no compiler for C or BPF.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/builder-config.yaml" <<EOF
dist:
  name: otelcol-foreign
  module: example.com/otelcol-foreign
  output_path: $work/out

receivers:
  - gomod: github.com/gpucause/gpucause v0.0.0
    import: github.com/gpucause/gpucause/receiver/gpucausereceiver
    path: $root

processors:
  - gomod: github.com/gpucause/gpucause v0.0.0
    import: github.com/gpucause/gpucause/processor/requestcauseprocessor
    path: $root

connectors:
  - gomod: github.com/gpucause/gpucause v0.0.0
    import: github.com/gpucause/gpucause/connector/collectiveskewconnector
    path: $root

exporters:
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter v0.159.0

providers:
  - gomod: go.opentelemetry.io/collector/confmap/provider/envprovider v1.65.0
  - gomod: go.opentelemetry.io/collector/confmap/provider/yamlprovider v1.65.0
EOF

cd "$root"
GOFLAGS='' go build -modfile=internal/tools/go.mod -o "$work/builder" go.opentelemetry.io/collector/cmd/builder
cd "$work"
# Without clang and cc: the Collector must build from Go sources and committed objects alone.
CC=/bin/false CGO_ENABLED=0 "$work/builder" --config "$work/builder-config.yaml"
"$work/out/otelcol-foreign" components | tee "$work/components.txt"
for component in gpucause requestcause collectiveskew; do
	grep -q "name: $component\$" "$work/components.txt"
done
"$work/out/otelcol-foreign" validate --config='yaml:receivers::gpucause::collection_interval: 5s' \
  --config='yaml:processors::requestcause:' \
  --config='yaml:connectors::collectiveskew:' \
  --config='yaml:exporters::debug:' \
  --config='yaml:service::pipelines::traces/calls::receivers: [gpucause]' \
  --config='yaml:service::pipelines::traces/calls::processors: [requestcause]' \
  --config='yaml:service::pipelines::traces/calls::exporters: [collectiveskew]' \
  --config='yaml:service::pipelines::traces/verdicts::receivers: [collectiveskew]' \
  --config='yaml:service::pipelines::traces/verdicts::exporters: [debug]'
echo 'foreign-ocb: a manifest outside the repository builds a Collector with gpucause, requestcause and collectiveskew'
