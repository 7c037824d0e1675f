package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

var keyFields = []string{"_company_id", "_integration_type", "_platform_id"}

var day = time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC)

// open configures a destination and closes it when the test ends.
func open(t testing.TB, settings map[string]any) *files {
	t.Helper()
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	d := newFiles()
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
		IdempotencyKey: id + "@" + strconv.FormatInt(version, 10), OccurredAt: day,
		Origin: destination.Origin{Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: "INVOICES", PlatformID: id},
	}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(err)
	}
	for name := range r.Fields {
		r.Changed = append(r.Changed, name)
	}
	return r
}

func remove(id string, version int64, fields string) destination.Record {
	r := upsert(id, version, fields)
	r.Operation, r.Changed = destination.Delete, nil
	return r
}

func change(id string, version int64, fields string) destination.Record {
	r := upsert(id, version, fields)
	r.Operation, r.Origin.EventID, r.Origin.Operation = destination.Append, "evt_"+strconv.FormatInt(version, 10), "UPDATE"
	return r
}

func records(rs ...destination.Record) destination.Batch {
	return destination.Batch{Mode: destination.ModeRecords, Object: "invoices", KeyFields: keyFields, Records: rs}
}

func changes(rs ...destination.Record) destination.Batch {
	b := records(rs...)
	b.Mode = destination.ModeChanges
	return b
}

// write expects that every record is delivered.
func write(t testing.TB, d *files, b destination.Batch) {
	t.Helper()
	results, err := d.Write(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Kind != destination.Delivered {
			t.Fatalf("record %d: %v %s: %s", i, r.Kind, r.Code, r.Message)
		}
	}
}

func read(t testing.TB, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readLines(t testing.TB, parts ...string) []string {
	t.Helper()
	text := read(t, parts...)
	if text == "" {
		return nil
	}
	if !strings.HasSuffix(text, "\n") {
		t.Fatalf("the last line is torn: %q", text)
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
