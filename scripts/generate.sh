#!/bin/sh
# Runs the generators whose output is committed. Without arguments it runs all
# of them; CI does that and then asks git whether anything differs.
#
#   scripts/generate.sh                      everything (go generate)
#   scripts/generate.sh proto FILE.proto...  protobuf and gRPC code, beside each file
#
# protoc comes from the system (Debian: protobuf-compiler); its Go generators
# come from the tool lines in go.mod, so their versions are pinned.
set -eu
cd "$(dirname "$0")/.."

proto() {
	command -v protoc >/dev/null || {
		echo "generate: protoc is missing (Debian: apt-get install protobuf-compiler)" >&2
		exit 1
	}
	bin=$(mktemp -d)
	trap 'rm -rf "$bin"' EXIT
	go build -o "$bin/" \
		google.golang.org/protobuf/cmd/protoc-gen-go \
		google.golang.org/grpc/cmd/protoc-gen-go-grpc
	PATH="$bin:$PATH" protoc \
		--go_out=. --go_opt=paths=source_relative \
		--go-grpc_out=. --go-grpc_opt=paths=source_relative \
		"$@"
	# The version of the installed protoc is not ours to pin, so it must not
	# make the output differ.
	for file in "$@"; do
		sed -i -E '/^\/\/ (- )?[[:space:]]*protoc[[:space:]]+v/d' \
			"${file%.proto}.pb.go" "${file%.proto}_grpc.pb.go"
	done
}

typescript() {
	cd examples/plugin-typescript
	npm run --silent generate
}

case "${1-}" in
'')
	go generate ./...
	typescript
	;;
proto)
	shift
	proto "$@"
	;;
*)
	sed -n '2,8p' "$0" >&2
	exit 2
	;;
esac
