package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

const version = "0.1.0"

// tries is how often the client makes a request. Blips end there; the host
// repeats what is left.
const tries = 3

// s3 is the destination.
type s3 struct {
	options options
	client  *minio.Client
	http    *http.Transport
	waits   *waits
}

var (
	_ destination.Destination = (*s3)(nil)
	_ destination.Checker     = (*s3)(nil)
	_ destination.DryRunner   = (*s3)(nil)
)

func newS3() *s3 { return &s3{} }

// Describe implements [destination.Destination].
func (d *s3) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name:         "s3",
		Version:      version,
		ConfigSchema: serve.Schema[settings](),
		Capabilities: []destination.Capability{
			destination.CapabilityCheck, destination.CapabilityDryRun,
			destination.CapabilityRecords, destination.CapabilityChanges, destination.CapabilityEvents,
		},
		// Small files are slow to read.
		MaxBatchRecords: 10_000,
	}, nil
}

// Configure implements [destination.Destination]. It does not connect.
func (d *s3) Configure(_ context.Context, raw json.RawMessage) error {
	o, err := parseSettings(raw)
	if err != nil {
		return err
	}
	d.options = o
	d.http = &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: o.timeout,
		MaxIdleConnsPerHost:   4 * parallel, // several writes run at a time
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true,
	}
	d.waits = &waits{next: d.http}
	o.client.Transport = d.waits
	o.client.MaxRetries = tries
	d.client, err = minio.New(o.endpoint.Host, &o.client)
	if err != nil {
		return fmt.Errorf(`setting "endpoint": %w`, err)
	}
	d.client.SetAppInfo("sluice", version)
	return nil
}

// Close gives idle connections back.
func (d *s3) Close() error {
	if d.http != nil {
		d.http.CloseIdleConnections()
	}
	return nil
}

// checkKey is what a check writes.
const checkKey = ".sluice-check"

// Check implements [destination.Checker]: an empty object can be written. What
// may be read says nothing of that, and asking for the bucket needs a right that
// writing does not.
func (d *s3) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.options.timeout)
	defer cancel()
	put := d.options.put
	put.ContentType = "application/octet-stream"
	_, err := d.client.PutObject(ctx, d.options.bucket, checkKey, bytes.NewReader(nil), 0, put)
	if r := d.resultOf(ctx, err); r.Kind != destination.Delivered {
		return failureOf(r)
	}
	// A user who may only write leaves it there; it is empty.
	_ = d.client.RemoveObject(ctx, d.options.bucket, checkKey, minio.RemoveObjectOptions{})
	return nil
}

// DryRun implements [destination.DryRunner].
func (d *s3) DryRun(_ context.Context, b destination.Batch) ([]string, error) {
	var out []string
	for _, f := range d.files(&b, make([]destination.Result, len(b.Records))) {
		out = append(out, fmt.Sprintf("PUT %s/%s: %d rows", d.options.bucket, f.key, f.part.Len()))
	}
	return out, nil
}
