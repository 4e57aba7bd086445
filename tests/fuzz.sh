#!/bin/sh
# Runs every fuzz target of the module for a while, one after the other.
set -eu
go=${GO:-go} tags=${TAGS:-} time=${FUZZTIME:-10s}
cd "$(dirname "$0")/.."
for package in $($go list -tags "$tags" -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
	for target in $($go test -tags "$tags" -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "== $package $target"
		$go test -tags "$tags" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 20x "$package"
	done
done
