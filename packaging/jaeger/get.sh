#!/usr/bin/env bash
# Prints the path of a Jaeger v2 program: the one on PATH, or the one in the
# cache, or one that is now built from the Go module proxy into the cache.
#
# Jaeger's module has a replace directive, so that `go install` refuses it; as a
# tool of an empty module, checked against its own go.sum, it builds.
set -euo pipefail

version=v1.76.0 # the module's number of Jaeger v2.13.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gpucause/jaeger-$version

on_path() {
	local jaeger
	jaeger=$(command -v jaeger) || return 1
	"$jaeger" version >/dev/null 2>&1 || return 1
	printf '%s\n' "$jaeger"
}

build() {
	command -v go >/dev/null || {
		echo "get.sh: no jaeger on PATH, and no go to build one with" >&2
		return 1
	}
	local work
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder of now
	trap "rm -rf '$work'" EXIT
	cd "$work"
	echo "Building Jaeger $version, once: about 5 minutes and 2.5 GB of memory" >&2
	go mod init jaeger-build >&2
	echo "  fetching" >&2
	local source
	source=$(go mod download -json "github.com/jaegertracing/jaeger@$version" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
	cp "$source/go.sum" go.sum
	chmod u+w go.sum
	go get -tool "github.com/jaegertracing/jaeger/cmd/jaeger@$version" >&2
	echo "  compiling" >&2
	CGO_ENABLED=0 go build -o "$work/jaeger" github.com/jaegertracing/jaeger/cmd/jaeger >&2
	mkdir -p "$cache"
	mv "$work/jaeger" "$cache/jaeger"
}

on_path && exit
[[ -x $cache/jaeger ]] || (build)
printf '%s\n' "$cache/jaeger"
