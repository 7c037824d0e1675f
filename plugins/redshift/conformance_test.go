package main

import (
	"encoding/json"
	"flag"
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

// Each write is a dozen round trips: the property tests draw fewer cases here.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
	pgtest.Main(m)
}

// harness reads tables past the proxy.
type harness struct {
	*remote.Server // as Redshift

	url    string // past it, of one database, with a schema per behaviour
	remove string
	binary string // "": in process
	places *atomic.Int64
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "PostgreSQL behind a proxy that refuses what Redshift lacks, not Redshift")
	binary := hosttest.Build(t, ".", "redshift")
	for _, remove := range []string{"soft", "hard"} {
		for name, binary := range map[string]string{remove: "", remove + " as a process": binary} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				database := pgtest.URL(t)
				report.Run(t, harness{Server: remote.Behind(t, before(t, database).URL()), url: database, remove: remove, binary: binary, places: new(atomic.Int64)})
			})
		}
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return &redshift{}
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	return sqltest.Settings(t, settings{URL: h.URL, Schema: fmt.Sprintf("place %d", h.places.Add(1)), Delete: h.remove})
}

func (h harness) Lacks() map[string]string {
	return map[string]string{"large": "Redshift stores no text of more than 65,535 bytes: the record is rejected"}
}

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
	out := append(pgtest.Rows(t, h.url, s.Schema, object), pgtest.Rows(t, h.url, s.Schema, object+"_changes")...)
	return sqltest.Unfold(t, out)
}
