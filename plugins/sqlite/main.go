// Command sluice-destination-sqlite writes records, changes and events to tables
// of a SQLite file. Package sqlcore decides what becomes of them; this command is
// its connection to SQLite.
//
// See README.md for settings, tables and guarantees.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(&sqlite{}) }
