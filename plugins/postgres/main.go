// Command sluice-destination-postgres writes records, changes and events to
// tables of a PostgreSQL database. Package sqlcore decides what becomes of them;
// this command is its connection to PostgreSQL.
//
// See README.md for settings, tables and guarantees.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(&postgres{}) }
