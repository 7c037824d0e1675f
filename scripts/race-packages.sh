#!/bin/sh
# Lists the packages whose tests run under the race detector: all but those whose
# test program links the Temporal server, which takes longer to compile with it
# than every other check together; and but for those that only start programs, which
# are built without it.
set -eu
go list -test -f '{{if eq .Name "main"}}{{.ImportPath}} {{join .Deps " "}}{{end}}' ./... |
	awk '$1 ~ /\.test$/ && !/go\.temporal\.io\/server\// && $1 !~ /\/(plugintest|scaffold|plugin-typescript|docs|arch)\.test$/ { sub(/\.test$/, "", $1); print $1 }'
