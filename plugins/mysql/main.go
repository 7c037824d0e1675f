// Command sluice-destination-mysql writes records, changes and events to tables of
// a MariaDB or MySQL database. Package sqlcore decides what becomes of them; this
// command is its connection to the database.
//
// See README.md for settings, tables and guarantees.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(&mySQL{}) }
