// Command sluice-destination-kafka produces records, changes and events to
// Apache Kafka topics: one message per record, keyed, in order per key, with a
// tombstone for a delete.
//
// A message counts as delivered when all replicas in sync have it. See README.md
// for the form of messages and what consumers have to do.
package main

import "github.com/sluicehq/sluice/plugins/destination/serve"

func main() { serve.Main(newKafka()) }
