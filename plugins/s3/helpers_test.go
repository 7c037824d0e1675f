package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	fake "github.com/sluicehq/sluice/internal/fake/s3"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance/httpfault"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile/parquettest"
)

const (
	accessKey = "AKIDEXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	region    = "eu-central-1"
)

var keyFields = []string{"_company_id", "_integration_type", "_platform_id"}

// server is a store with its address.
type server struct {
	*fake.Store
	url    string
	faults *httpfault.Handler
}

func newServer(t *testing.T) server {
	t.Helper()
	store := fake.New(fake.Options{Bucket: "lake", Region: region, AccessKeyID: accessKey, SecretAccessKey: secretKey})
	faults := httpfault.New(store, nil)
	h := httptest.NewServer(faults)
	t.Cleanup(h.Close)
	return server{store, h.URL, faults}
}

func (s server) settings(more map[string]any) map[string]any {
	all := map[string]any{
		"bucket": "lake", "endpoint": s.url, "region": region, "path_style": true,
		"access_key_id": accessKey, "secret_access_key": secretKey,
	}
	for name, value := range more {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	return all
}

// open configures a destination for the store and closes it when the test ends.
func open(t *testing.T, s server, more map[string]any) *s3 {
	t.Helper()
	raw, err := json.Marshal(s.settings(more))
	if err != nil {
		t.Fatal(err)
	}
	d := newS3()
	if err := d.Configure(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func upsert(id string, version int64, fields string) destination.Record {
	r := destination.Record{
		Key: []string{"4711", "XERO", id}, Operation: destination.Upsert, Version: version,
		IdempotencyKey: id + "@" + strconv.FormatInt(version, 10), OccurredAt: time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC),
		Origin: destination.Origin{Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: "INVOICES", PlatformID: id},
	}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(err)
	}
	return r
}

func batch(rs ...destination.Record) destination.Batch {
	return destination.Batch{
		Mode: destination.ModeRecords, Object: "invoices", KeyFields: keyFields, Records: rs,
		Types: map[string]destination.FieldType{"memo": destination.TypeText, "total": destination.TypeNumber},
	}
}

func write(t *testing.T, d *s3, b destination.Batch) []destination.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	results, err := d.Write(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func deliver(t *testing.T, d *s3, rs ...destination.Record) {
	t.Helper()
	for i, r := range write(t, d, batch(rs...)) {
		if r.Kind != destination.Delivered {
			t.Fatalf("record %d: %v %s %s", i, r.Kind, r.Code, r.Message)
		}
	}
}

func wantResult(t *testing.T, got destination.Result, kind destination.ResultKind, code string) {
	t.Helper()
	if got.Kind != kind || got.Code != code {
		t.Errorf("%v %s %q, want %v %s", got.Kind, got.Code, got.Message, kind, code)
	}
}

// rows reads the rows of a file, by the ending of its name. Null is left out.
func rows(t *testing.T, name string, body []byte) []map[string]string {
	t.Helper()
	var in io.Reader = bytes.NewReader(body)
	switch {
	case strings.HasSuffix(name, ".parquet"):
		return parquettest.Rows(t, body)
	case strings.HasSuffix(name, ".gz"):
		z, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		in = z
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		in = z
	}
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for line := range bytes.Lines(text) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(line, &members); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		row := map[string]string{}
		for name, value := range members {
			var s string
			switch {
			case string(value) == "null":
				continue
			case json.Unmarshal(value, &s) != nil:
				s = string(value)
			}
			row[name] = s
		}
		out = append(out, row)
	}
	return out
}

// keys are the names of all objects, sorted.
func (s server) keys() []string {
	var list []string
	for key := range s.Objects() {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}
