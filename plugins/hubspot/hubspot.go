package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

const (
	version = "0.1.0"
	// maxInputs is how many inputs HubSpot takes in a batch.
	maxInputs = 100
	// maxRecords is how many records one Write takes. What it makes of them beside
	// batches, associations above all, goes by the thousand; and fewer batches stay
	// half empty.
	maxRecords = 4000
	// answerTime is kept back from the deadline of a Write, so that what was
	// written until then can still be told.
	answerTime = 2 * time.Second
)

// hubspot is the destination.
type hubspot struct {
	client  *client
	schemas *schemas
	known   known
}

var (
	_ destination.Destination   = (*hubspot)(nil)
	_ destination.Checker       = (*hubspot)(nil)
	_ destination.DryRunner     = (*hubspot)(nil)
	_ destination.ObjectChecker = (*hubspot)(nil)
)

func newHubSpot() *hubspot { return &hubspot{} }

// Describe implements [destination.Destination].
func (d *hubspot) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name:         "hubspot",
		Version:      version,
		ConfigSchema: serve.Schema[settings](),
		Capabilities: []destination.Capability{
			destination.CapabilityCheck, destination.CapabilityDryRun, destination.CapabilityObjects, destination.CapabilityRecords,
		},
		MaxBatchRecords: maxRecords,
		MaxBatchBytes:   4 << 20,
	}, nil
}

// Configure implements [destination.Destination].
func (d *hubspot) Configure(_ context.Context, raw json.RawMessage) error {
	o, err := parseSettings(raw)
	if err != nil {
		return err
	}
	d.client = newClient(o)
	d.schemas = newSchemas(d.client)
	return nil
}

// Close gives idle connections back.
func (d *hubspot) Close() error {
	if d.client != nil {
		d.client.close()
	}
	return nil
}

// Check implements [destination.Checker]: the credentials are good. What they
// may do shows only when an object is written.
func (d *hubspot) Check(ctx context.Context) error {
	if err := d.client.account(ctx); err != nil {
		return resultFailure(d.client.result(err))
	}
	return nil
}

// Write implements [destination.Destination].
func (d *hubspot) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	w, err := d.newWriting(&b)
	if err != nil {
		return nil, err
	}
	ctx, cancel := httpanswer.KeepTime(ctx, answerTime)
	defer cancel()
	d.client.knowZone(ctx)
	types, err := d.schemas.prepare(ctx, b.Object, w.key, w.wanted())
	if err != nil {
		w.fail(w.items, err)
		return w.results, nil
	}
	w.run(ctx, types)
	return w.results, nil
}

// DryRun implements [destination.DryRunner]. It asks HubSpot nothing, so it shows
// the whole record where Write may send what changed.
func (d *hubspot) DryRun(_ context.Context, b destination.Batch) ([]string, error) {
	w, err := d.newWriting(&b)
	if err != nil {
		return nil, err
	}
	types := map[string]string{}
	for name, k := range w.wanted() {
		types[name] = k.Type
	}
	var inputs, deletes []input
	for _, it := range w.encode(w.items, types) {
		if it.record.Operation == destination.Delete {
			deletes = append(deletes, input{ID: it.id})
			continue
		}
		inputs = append(inputs, w.input(it, true))
	}
	var out []string
	for _, request := range []struct {
		path   string
		inputs []input
		body   any
	}{
		{"batch/upsert", inputs, batchInput[input]{inputs}},
		{"batch/read (to archive what is found)", deletes, readInput{IDProperty: w.key, Inputs: deletes, Properties: []string{w.key, versionProperty}}},
	} {
		if len(request.inputs) == 0 {
			continue
		}
		body, err := json.Marshal(request.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		out = append(out, http.MethodPost+" "+d.client.objectPath(b.Object, request.path)+"\n"+string(body))
	}
	return out, nil
}

// newWriting refuses what no record of the batch can change.
func (d *hubspot) newWriting(b *destination.Batch) (*writing, error) {
	misconfigured := func(code, text string, args ...any) error {
		return &destination.Failure{Kind: destination.Misconfigured, Code: code, Err: fmt.Errorf(text, args...)}
	}
	if b.Mode != destination.ModeRecords {
		return nil, misconfigured("MODE", "hubspot takes merged records only: use mode: records in the route")
	}
	if !objectForm.MatchString(b.Object) {
		return nil, misconfigured(codeObject, "%q cannot be an object of HubSpot: set object in the route, e.g. companies", b.Object)
	}
	w := &writing{hubspot: d, batch: b, results: make([]destination.Result, len(b.Records)), key: d.client.options.KeyProperty}
	for i := range w.results {
		w.results[i] = destination.Result{Kind: destination.Retry, Code: codeNoResult, Message: "the record was not sent"}
	}
	switch len(b.KeyFields) {
	case 0:
		return nil, errors.New("the batch has no key fields")
	case 1:
		name, err := propertyName(b.KeyFields[0])
		if err != nil {
			return nil, misconfigured(codeKey, "%w", err)
		}
		w.key = name
	}
	// HubSpot fills what an upsert by email leaves out, and knows its own id only
	// for records that are there.
	if w.key == "email" || w.key == "hs_object_id" {
		return nil, misconfigured(codeKey, "%s cannot be the key: give the route a key of its own, e.g. key: [rootfi_key]", w.key)
	}
	w.shape()
	return w, nil
}
