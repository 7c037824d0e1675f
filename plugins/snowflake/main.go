// Command sluice-destination-snowflake writes records, changes and events to
// tables of Snowflake. Package sqlcore decides what becomes of them; this command
// is its connection to Snowflake's SQL API.
//
// See README.md for settings, tables and guarantees, and for what it was tested
// against.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(&snowflake{}) }
