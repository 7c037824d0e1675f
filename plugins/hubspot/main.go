// Command sluice-destination-hubspot keeps records in HubSpot's CRM: objects
// are upserted in batches by a unique property that it makes itself.
//
// A property with the version keeps older states from overwriting newer ones.
// See README.md for settings and guarantees.
package main

import (
	_ "time/tzdata" // the daily limit ends at midnight of the account's time zone

	"github.com/sluicehq/sluice/plugins/destination/serve"
)

func main() { serve.Main(newHubSpot()) }
