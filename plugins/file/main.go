// Command sluice-destination-file writes records, changes and events to files of
// a directory: a change log that only grows, or the current state of each
// object, as JSONL or CSV.
//
// A write is on disk (fsync) before it is answered. Repeated and older writes
// change nothing. See README.md for settings and guarantees.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(newFiles()) }
