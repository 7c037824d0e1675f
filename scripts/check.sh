#!/bin/sh
# Every check that is not a test. Each step says what it is; the first failure stops.
set -eu
cd "$(dirname "$0")/.."
cgo_plugins=$(dirname plugins/*/go.mod) # modules of their own, built with cgo
step() { printf '\n== %s\n' "$1"; }

step "gofmt"
unformatted=$(git ls-files -co --exclude-standard '*.go' | grep -v '\.pb\.go$' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	echo "run gofmt -w on:" && echo "$unformatted" && exit 1
fi

step "go mod tidy"
go mod tidy -diff
go -C deploy mod tidy -diff
for module in $cgo_plugins; do go -C "$module" mod tidy -diff; done

step "go vet"
go vet ./...
go vet -tags slim ./cmd/... ./internal/embedded/...
go vet -tags upgradetest ./workflows/... ./internal/ledger/postgres/...
go -C deploy vet ./...
for module in $cgo_plugins; do CGO_ENABLED=1 go -C "$module" vet ./...; done

step "the build of the chaos suite"
go vet -tags chaos ./internal/fault
go test -tags chaos ./internal/fault

step "staticcheck"
go tool staticcheck ./...
staticcheck=$(go tool -n staticcheck)
(cd deploy && "$staticcheck" ./...)
for module in $cgo_plugins; do (cd "$module" && CGO_ENABLED=1 "$staticcheck" ./...); done

step "workflowcheck"
go tool workflowcheck -config .workflowcheck.yaml ./workflows/...

step "generated files"
scripts/generate.sh
if ! git diff --exit-code --stat -- '*.pb.go' docs config examples/plugin-typescript; then
	echo "generated files are not current: run make generate and commit the result" && exit 1
fi

step "race detector"
make --no-print-directory race

step "govulncheck"
# Needs the vulnerability database on the network. A machine that cannot reach it
# is told so, and is no reason to fail.
out=$(mktemp)
if go tool govulncheck ./... >"$out" 2>&1; then
	echo "no known vulnerability is called"
elif grep -qE 'fetching vulnerabilities|no such host|connection refused|403 Forbidden|i/o timeout' "$out"; then
	echo "NOT CHECKED: the vulnerability database cannot be reached from here"
else
	cat "$out" && rm -f "$out" && exit 1
fi
rm -f "$out"
