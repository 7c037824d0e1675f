// Command sluice-destination-salesforce upserts records into Salesforce by an
// external id: through sObject Collections, or Bulk API 2.0 when there are many.
//
// A repeated write finds the same external id and does no harm. See README.md
// for settings and guarantees.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(newSalesforce()) }
