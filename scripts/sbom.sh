#!/bin/sh
# Writes a bill of materials (CycloneDX, JSON) for every binary in bin (or BIN),
# from what the Go compiler recorded in it: exactly the modules that are linked,
# with their versions and checksums.
set -eu
cd "$(dirname "$0")/.."
bin=$(cd "${BIN:-bin}" && pwd)
[ -x "$bin/sluice" ] || { echo "sbom: there is no $bin/sluice: run make build" >&2; exit 1; }
mkdir -p "$bin/sbom"
for binary in "$bin/sluice" "$bin"/plugins/*; do
	to=$bin/sbom/$(basename "$binary").cdx.json
	# Neither a time nor a random number: the same binary gives the same file.
	go tool -C deploy cyclonedx-gomod bin -json -noserial -notimestamp -std -output "$to" "$binary"
	echo "$to"
done
