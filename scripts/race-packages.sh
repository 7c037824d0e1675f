#!/bin/sh
# Lists the packages whose tests run under the race detector: all but those whose
# test program links the Temporal server, which takes longer to compile with it
# than every other check together.
set -eu
go list -test -f '{{if eq .Name "main"}}{{.ImportPath}} {{join .Deps " "}}{{end}}' ./... |
	awk '$1 ~ /\.test$/ && !/go\.temporal\.io\/server\// { sub(/\.test$/, "", $1); print $1 }'
