#!/bin/sh
# Writes a bill of materials (CycloneDX, JSON) for every binary in bin, from what
# the Go compiler recorded in it: exactly the modules that are linked, with their
# versions and checksums.
set -eu
cd "$(dirname "$0")/.."
[ -x bin/sluice ] || { echo "sbom: there is no bin/sluice: run make build" >&2; exit 1; }
mkdir -p bin/sbom
for binary in bin/sluice bin/plugins/*; do
	name=bin/sbom/$(basename "$binary").cdx.json
	# Neither a time nor a random number: the same binary gives the same file.
	go tool -C deploy cyclonedx-gomod bin -json -noserial -notimestamp -std -output "../$name" "../$binary"
	echo "$name: $(grep -c '"purl"' "$name") components"
done
