// Command sluice-destination-duckdb writes records, changes and events to tables
// of a DuckDB file. Package sqlcore decides what becomes of them; this command is
// its connection to DuckDB.
//
// It is a module of its own: it is the only part of Sluice that needs cgo, and
// nobody else is to download DuckDB's libraries. See README.md for settings,
// tables and guarantees.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(&duckDB{}) }
