#!/usr/bin/env bash
# Builds Jaeger's pages into the cache, for programs that were built without
# them, and prints their folder. With --cached it builds nothing and fails when
# they are not there. Needs git, and Node 24 with npm.
set -euo pipefail

version=v2.18.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gpucause/jaeger-ui-$version

build() {
	local work
	work=$(mktemp -d)
	# shellcheck disable=SC2064 # the folder of now
	trap "rm -rf '$work'" EXIT
	echo "Building Jaeger's pages $version, once: about 2 minutes" >&2
	git -c advice.detachedHead=false clone --quiet --depth 1 --branch "$version" \
		https://github.com/jaegertracing/jaeger-ui "$work" >&2
	cd "$work"
	npm ci --ignore-scripts >&2
	npm run build >&2
	mkdir -p "$(dirname "$cache")"
	mv packages/jaeger-ui/build "$cache"
}

if [[ ! -f $cache/index.html ]]; then
	[[ ${1:-} != --cached ]] || exit 1
	(build)
fi
printf '%s\n' "$cache"
