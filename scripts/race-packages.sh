#!/bin/sh
# Lists the packages whose tests run under the race detector: all but those that
# link the Temporal server, which takes longer to compile with it than every
# other check together.
set -eu
go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{join .Deps " "}} {{join .TestImports " "}} {{join .XTestImports " "}}{{end}}' ./... |
	awk 'NF && !/go\.temporal\.io\/server\// && !/sluicehq\/sluice\/internal\/(embedded|app|e2e)/ { print $1 }'
