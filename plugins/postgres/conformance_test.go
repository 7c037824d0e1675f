package main

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest/remote"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// harness reads tables as users would.
type harness struct {
	*remote.Server // of one database, with a schema per behaviour

	remove string
	binary string // "": in process
	places *atomic.Int64
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "PostgreSQL, the real server")
	binary := hosttest.Build(t, ".", "postgres")
	for _, remove := range []string{"soft", "hard"} {
		t.Run(remove, func(t *testing.T) {
			t.Parallel()
			report.Run(t, harness{Server: remote.Behind(t, pgtest.URL(t)), remove: remove, places: new(atomic.Int64)})
		})
		t.Run(remove+" as a process", func(t *testing.T) {
			t.Parallel()
			report.Run(t, harness{Server: remote.Behind(t, pgtest.URL(t)), remove: remove, binary: binary, places: new(atomic.Int64)})
		})
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return &postgres{}
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	return sqltest.Settings(t, settings{URL: h.URL, Schema: fmt.Sprintf("place %d", h.places.Add(1)), Delete: h.remove})
}

func (h harness) Lacks() map[string]string { return nil }

func (h harness) WrongCredentials(t *testing.T, raw json.RawMessage) json.RawMessage {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	s.URL = remote.Stranger(t, s.URL)
	return sqltest.Settings(t, s)
}

func (h harness) Rows(t *testing.T, raw json.RawMessage, object string) []map[string]string {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return sqltest.Unfold(t, append(pgtest.Rows(t, s.URL, s.Schema, object), pgtest.Rows(t, s.URL, s.Schema, object+"_changes")...))
}
