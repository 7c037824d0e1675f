package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	fake "github.com/sluicehq/sluice/internal/fake/hubspot"
	"github.com/sluicehq/sluice/plugins/destination"
)

// open makes an account and a destination for it.
func open(t *testing.T, o fake.Options, more map[string]any) (*hubspot, *fake.Server) {
	t.Helper()
	if o.Token == "" && o.ClientID == "" {
		o.Token = token
	}
	account := fake.New(o)
	server := httptest.NewServer(account)
	t.Cleanup(server.Close)
	settings := map[string]any{"base_url": server.URL, "requests_per_second": 10_000}
	if o.Token != "" {
		settings["token"] = o.Token
	}
	maps.Copy(settings, more)
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	d := newHubSpot()
	if err := d.Configure(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d, account
}

// company is a first write.
func company(key string, version int64, fields string) destination.Record {
	r := destination.Record{
		Key: []string{key}, Operation: destination.Upsert, Version: version, Fields: map[string]json.RawMessage{},
		IdempotencyKey: fmt.Sprintf("%s/%d", key, version), OccurredAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(err)
	}
	r.Changed = slices.Sorted(maps.Keys(r.Fields))
	return r
}

// update is a later write, of which some fields may have changed.
func update(key string, version int64, fields string, changed ...string) destination.Record {
	r := company(key, version, fields)
	r.Changed = changed
	return r
}

func removal(key string, version int64) destination.Record {
	r := company(key, version, `{}`)
	r.Operation = destination.Delete
	return r
}

func batch(object string, list ...destination.Record) destination.Batch {
	return destination.Batch{Mode: destination.ModeRecords, Object: object, KeyFields: []string{"rootfi_key"}, Records: list}
}

func companies(n int) destination.Batch {
	b := batch("companies")
	for i := range n {
		b.Records = append(b.Records, company(fmt.Sprintf("c%03d", i), 1, fmt.Sprintf(`{"name":"Company %d"}`, i)))
	}
	return b
}

func write(t *testing.T, d *hubspot, b destination.Batch) []destination.Result {
	t.Helper()
	results, err := d.Write(t.Context(), b)
	if err != nil || len(results) != len(b.Records) {
		t.Fatalf("%d results for %d records, %v", len(results), len(b.Records), err)
	}
	return results
}

// want checks the kinds of results: one for each, or one for all.
func want(t *testing.T, results []destination.Result, kinds ...destination.ResultKind) {
	t.Helper()
	for i, r := range results {
		kind := kinds[0]
		if len(kinds) > 1 {
			kind = kinds[i]
		}
		if r.Kind != kind {
			t.Errorf("record %d: %v %s %s, want %v", i, r.Kind, r.Code, r.Message, kind)
		}
		if strings.Contains(r.Code+r.Message, token) {
			t.Errorf("record %d: the result has the token", i)
		}
	}
}

// byKey returns the records of an object by rootfi_key.
func byKey(t *testing.T, account *fake.Server, object string) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	for _, r := range account.Records(object) {
		if out[r["rootfi_key"]] != nil {
			t.Errorf("two records with the key %s", r["rootfi_key"])
		}
		out[r["rootfi_key"]] = r
	}
	return out
}

// calls counts the calls whose path contains part.
func calls(account *fake.Server, part string) (n int) {
	for _, c := range account.Calls() {
		if strings.Contains(c.Path, part) {
			n++
		}
	}
	return n
}
