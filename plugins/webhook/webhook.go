package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

const version = "0.1.0"

// webhook is the destination.
type webhook struct {
	client *client
}

var (
	_ destination.Destination = (*webhook)(nil)
	_ destination.Checker     = (*webhook)(nil)
	_ destination.DryRunner   = (*webhook)(nil)
)

func newWebhook() *webhook { return &webhook{} }

// Describe implements [destination.Destination].
func (d *webhook) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name:         "webhook",
		Version:      version,
		ConfigSchema: serve.Schema[settings](),
		Capabilities: []destination.Capability{
			destination.CapabilityCheck, destination.CapabilityDryRun,
			destination.CapabilityRecords, destination.CapabilityChanges, destination.CapabilityEvents,
		},
		// Few enough that a slow endpoint takes them within one write.
		MaxBatchRecords: 200,
		MaxBatchBytes:   4 << 20,
	}, nil
}

// Configure implements [destination.Destination].
func (d *webhook) Configure(_ context.Context, raw json.RawMessage) error {
	o, err := parseSettings(raw)
	if err != nil {
		return err
	}
	d.client = newClient(o, nil)
	return nil
}

// Close gives idle connections back.
func (d *webhook) Close() error {
	if d.client != nil {
		d.client.close()
	}
	return nil
}

// Check implements [destination.Checker]: the endpoint can be reached. It sends
// no request.
func (d *webhook) Check(ctx context.Context) error {
	err := d.client.connect(ctx)
	if err == nil {
		return nil
	}
	r := resultOfError(ctx, err, d.client.options.redact)
	return &destination.Failure{Kind: r.Kind, Code: r.Code, Err: errors.New(r.Message)}
}

// Write implements [destination.Destination].
func (d *webhook) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	results := make([]destination.Result, len(b.Records))
	items := d.items(&b, results)
	w := newWriting(d.client, results)
	if d.client.options.batch {
		w.sendBatch(ctx, items)
	} else {
		w.sendEach(ctx, items)
	}
	return results, nil
}

// items encodes the records. One that cannot be encoded gets its result and is
// left out.
func (d *webhook) items(b *destination.Batch, results []destination.Result) []item {
	items := make([]item, 0, len(b.Records))
	for i := range b.Records {
		it, err := newItem(b, i)
		if own := d.client.options.body; err == nil && own != nil {
			it.body, err = own.render(it.body)
		}
		if err != nil {
			results[i] = destination.Result{Kind: destination.Rejected, Code: "invalid_record", Message: err.Error()}
			continue
		}
		items = append(items, it)
	}
	return items
}

// DryRun implements [destination.DryRunner]. It leaves out the URL and the
// headers, which may hold secrets.
func (d *webhook) DryRun(_ context.Context, b destination.Batch) ([]string, error) {
	items := d.items(&b, make([]destination.Result, len(b.Records)))
	if len(items) == 0 {
		return nil, nil
	}
	if d.client.options.batch {
		id, body := envelope(items, true)
		return []string{dryRun(id, body)}, nil
	}
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = dryRun(it.id, it.body)
	}
	return out, nil
}

func dryRun(id string, body []byte) string { return fmt.Sprintf("POST webhook-id: %s\n%s", id, body) }
