// Command sluice-destination-webhook posts records, changes and events as JSON
// to an HTTP endpoint, signed after the Standard Webhooks specification.
//
// A repeated write has the same webhook-id. Addresses of private networks are
// refused unless the settings allow them. See README.md for settings and
// guarantees.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(newWebhook()) }
