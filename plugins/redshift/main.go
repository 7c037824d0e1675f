// Command sluice-destination-redshift writes records, changes and events to
// tables of Amazon Redshift. Package sqlcore decides what becomes of them; this
// command is its connection to Redshift.
//
// See README.md for settings, tables and guarantees, and for what it was tested
// against.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(&redshift{}) }
