// Command crashing is a destination whose process dies with every write.
package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

type crashing struct{}

func (crashing) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name: "crashing", Version: "1.0.0",
		Capabilities: []destination.Capability{destination.CapabilityRecords, destination.CapabilityChanges, destination.CapabilityEvents},
	}, nil
}

func (crashing) Configure(context.Context, json.RawMessage) error { return nil }

func (crashing) Write(context.Context, destination.Batch) ([]destination.Result, error) {
	os.Exit(3)
	return nil, nil
}

func main() { serve.Main(crashing{}) }
