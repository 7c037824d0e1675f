#!/bin/sh
# Runs every fuzz target for a while (FUZZTIME, by default 5s each), and so finds
# what the seeds do not show. Targets are found, not listed: a new one is run
# without a change here. With arguments, only the packages named.
#
# An input that fails is written into testdata/fuzz of its package: commit it with
# the repair, it is a test from then on.
set -eu
cd "$(dirname "$0")/.."
: "${FUZZTIME:=5s}"
[ $# -gt 0 ] || set -- ./...

log=$(mktemp)
trap 'rm -f "$log"' EXIT

targets=0
for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' "$@"); do
	grep -qs '^func Fuzz' "$package"/*_test.go || continue
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$package"/*_test.go); do
		echo "fuzz ${package#"$PWD"/} $target"
		# Without a bound, shrinking what is merely new takes all the time.
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 10x "$package" >"$log" 2>&1 || {
			cat "$log"
			exit 1
		}
		grep -h 'execs:' "$log" | tail -n 1 || true
		targets=$((targets + 1))
	done
done
[ "$targets" -gt 0 ] || { echo "there are no fuzz targets in $*" >&2; exit 1; }
echo "$targets fuzz targets, $FUZZTIME each"
