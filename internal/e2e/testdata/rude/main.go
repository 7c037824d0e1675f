// Command rude is a plugin of somebody who did not read the rules: it panics with
// what it was given.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

type settings struct {
	Token string `json:"token" jsonschema:"description=A secret."`
}

type rude struct{ token string }

func (*rude) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name: "rude", Version: "1.0.0", ConfigSchema: serve.Schema[settings](), MaxBatchRecords: 10,
		Capabilities: []destination.Capability{destination.CapabilityRecords},
	}, nil
}

func (r *rude) Configure(_ context.Context, raw json.RawMessage) error {
	s, err := serve.Decode[settings](raw)
	r.token = s.Token
	return err
}

// record is an error that says everything.
type record struct{ what string }

func (r record) Error() string { return "cannot take\n" + r.what }

func (r *rude) Write(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
	text, err := json.Marshal(batch)
	if err != nil {
		return nil, err
	}
	said := fmt.Sprintf("%s %s %s", text, r.token, os.Getenv("RUDE_SECRET"))
	switch {
	case strings.Contains(said, "panic in the call"):
		panic(record{said})
	case strings.Contains(said, "panic elsewhere"):
		go panic(said)
		select {}
	}
	return nil, &destination.Failure{Kind: destination.Rejected, Code: "rude", Err: record{said}}
}

func main() { serve.Main(&rude{}) }
