// Package destinationpb holds the plugin protocol, version 1, as protobuf and
// the Go code generated from it. It has no behaviour: plugins/internal/wire
// translates it to the types of package destination, and nothing else in this
// module uses it. Authors of plugins in other languages start from
// destination.proto.
package destinationpb

//go:generate ../../../scripts/generate.sh proto plugins/destination/destinationpb/destination.proto
