package main

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/internal/mariadbtest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest/remote"
)

func TestMain(m *testing.M) { mariadbtest.Main(m) }

// harness reads tables as users would.
type harness struct {
	*remote.Server // of one database, with a prefix per behaviour

	remove string
	binary string // "": in process
	places *atomic.Int64
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "MariaDB, the real server of Debian")
	binary := hosttest.Build(t, ".", "mysql")
	for _, remove := range []string{"soft", "hard"} {
		t.Run(remove, func(t *testing.T) {
			t.Parallel()
			report.Run(t, harness{Server: remote.Behind(t, mariadbtest.URL(t)), remove: remove, places: new(atomic.Int64)})
		})
		t.Run(remove+" as a process", func(t *testing.T) {
			t.Parallel()
			report.Run(t, harness{Server: remote.Behind(t, mariadbtest.URL(t)), remove: remove, binary: binary, places: new(atomic.Int64)})
		})
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return &mySQL{}
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	return sqltest.Settings(t, settings{URL: h.URL, TablePrefix: fmt.Sprintf("place %d ", h.places.Add(1)), Delete: h.remove})
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
	return sqltest.Unfold(t, append(rows(t, s.URL, s.TablePrefix+object), rows(t, s.URL, s.TablePrefix+object+"_changes")...))
}

// rows reads a table with every value as text; null is left out.
func rows(t testing.TB, url, table string) []map[string]string {
	t.Helper()
	d := visit(t, url)
	columns, err := d.Columns(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	if len(columns) == 0 {
		return nil
	}
	found, err := d.pool.QueryContext(t.Context(), "SELECT * FROM "+mariaDB.Table(table)+" ORDER BY 1, 2, 3")
	if err != nil {
		t.Fatal(err)
	}
	return sqltest.Read(t, found, columns)
}
