// Command sluice-destination-clickhouse writes records, changes and events to
// tables of a ClickHouse database. Package sqlcore decides what becomes of them;
// this command is its connection to ClickHouse.
//
// See README.md for settings, tables and guarantees.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(&clickHouse{}) }
