package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

const version = "0.1.0"

// salesforce is the destination.
type salesforce struct {
	client *client
}

var (
	_ destination.Destination   = (*salesforce)(nil)
	_ destination.Checker       = (*salesforce)(nil)
	_ destination.DryRunner     = (*salesforce)(nil)
	_ destination.ObjectChecker = (*salesforce)(nil)
)

func newSalesforce() *salesforce { return &salesforce{} }

// Describe implements [destination.Destination].
func (d *salesforce) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name:         "salesforce",
		Version:      version,
		ConfigSchema: serve.Schema[settings](),
		Capabilities: []destination.Capability{
			destination.CapabilityCheck, destination.CapabilityDryRun, destination.CapabilityObjects, destination.CapabilityRecords,
		},
		// Enough that a bulk job is worth its calls.
		MaxBatchRecords: 4000,
	}, nil
}

// Configure implements [destination.Destination]. It makes no request.
func (d *salesforce) Configure(_ context.Context, raw json.RawMessage) error {
	o, err := parseSettings(raw)
	if err != nil {
		return err
	}
	d.client = newClient(o)
	return nil
}

// Close gives idle connections back.
func (d *salesforce) Close() error {
	if d.client != nil {
		d.client.http.CloseIdleConnections()
	}
	return nil
}

// Check implements [destination.Checker]: a token can be had, and the API answers
// to it.
func (d *salesforce) Check(ctx context.Context) error {
	if _, f := d.client.call(ctx, http.MethodGet, "limits", "", nil); f != nil {
		return f
	}
	return nil
}

// Write implements [destination.Destination].
func (d *salesforce) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	w, p := d.plan(&b)
	ctx, cancel := httpanswer.KeepTime(ctx, answerTime)
	defer cancel()
	w.run(ctx, p)
	return w.results, nil
}

// DryRun implements [destination.DryRunner]. What would be asked of Salesforce
// first (versions, ids) is not known to it.
func (d *salesforce) DryRun(_ context.Context, b destination.Batch) ([]string, error) {
	w, p := d.plan(&b)
	return w.describe(p), nil
}

func (d *salesforce) plan(b *destination.Batch) (*writing, plan) {
	w := &writing{client: d.client, object: b.Object, results: make([]destination.Result, len(b.Records))}
	return w, w.plan(b)
}
