package serve_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

// printer is a destination that prints.
type printer struct {
	prefix string
}

type printerSettings struct {
	Prefix string `json:"prefix,omitempty" jsonschema:"description=what each line begins with"`
}

func (p *printer) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name:         "printer",
		Version:      "1.0.0",
		ConfigSchema: serve.Schema[printerSettings](),
		Capabilities: []destination.Capability{destination.CapabilityRecords},
	}, nil
}

func (p *printer) Configure(_ context.Context, settings json.RawMessage) error {
	s, err := serve.Decode[printerSettings](settings)
	p.prefix = s.Prefix
	return err
}

func (p *printer) Write(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
	results := make([]destination.Result, len(batch.Records))
	for i, r := range batch.Records {
		if _, err := fmt.Fprintln(os.Stderr, p.prefix, batch.Object, r.Key, r.Version); err != nil {
			return nil, err
		}
		results[i].Kind = destination.Delivered
	}
	return results, nil
}

func ExampleMain() {
	serve.Main(&printer{})
}
