package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// harness reads the objects as the README tells readers to.
type harness struct {
	servers *sync.Map // address → server
	format  string
	binary  string // "": in process
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "the fake store of this repository")
	binary := hosttest.Build(t, ".", "s3")
	for name, h := range map[string]harness{
		"jsonl":                {format: "jsonl"},
		"parquet":              {format: "parquet"},
		"jsonl as a process":   {format: "jsonl", binary: binary},
		"parquet as a process": {format: "parquet", binary: binary},
	} {
		t.Run(name, func(t *testing.T) {
			h.servers = &sync.Map{}
			report.Run(t, h)
		})
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return newS3()
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	s := newServer(t)
	h.servers.Store(s.url, s)
	raw, err := json.Marshal(s.settings(map[string]any{"format": h.format, "layout": "{object}/{part}"}))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (h harness) Lacks() map[string]string { return nil }

// WrongCredentials implements [destinationtest.WrongCredentials].
func (h harness) WrongCredentials(t *testing.T, raw json.RawMessage) json.RawMessage {
	var s map[string]any
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	s["secret_access_key"] = "wrong-secret"
	out, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Fault implements [destinationtest.Faults].
func (h harness) Fault(t *testing.T, raw json.RawMessage, f conformance.Fault) bool {
	var s struct{ Endpoint string }
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	found, _ := h.servers.Load(s.Endpoint)
	return found.(server).faults.Fault(f)
}

func (h harness) Rows(t *testing.T, settings json.RawMessage, object string) []map[string]string {
	var s struct{ Endpoint string }
	if err := json.Unmarshal(settings, &s); err != nil {
		t.Fatal(err)
	}
	found, _ := h.servers.Load(s.Endpoint)
	ending := map[string]string{"jsonl": ".jsonl.gz", "parquet": ".parquet"}[h.format]
	newest, appended := map[string]map[string]string{}, map[string]map[string]string{}
	for key, o := range found.(server).Objects() {
		if !strings.HasPrefix(key, object+"/") {
			continue
		}
		for _, row := range rows(t, key+ending, o.Body) {
			if row["_version"] == "" {
				appended[row["_idempotency_key"]] = row
				continue
			}
			id := row["_company_id"] + "\x00" + row["_integration_type"] + "\x00" + row["_platform_id"]
			if old := newest[id]; old == nil || number(t, old["_version"]) < number(t, row["_version"]) {
				newest[id] = row
			}
		}
	}
	maps.DeleteFunc(newest, func(_ string, row map[string]string) bool { return row["_deleted"] == "true" })
	return append(slices.Collect(maps.Values(newest)), slices.Collect(maps.Values(appended))...)
}

func number(t *testing.T, text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
