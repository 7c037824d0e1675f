package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/internal/clickhousetest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest/remote"
)

func TestMain(m *testing.M) { clickhousetest.Main(m) }

// harness reads tables as users would.
type harness struct {
	*remote.Server // of one database, with a prefix per behaviour

	binary string // "": in process
	places *atomic.Int64
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "ClickHouse 18.16, the real server of Debian")
	binary := hosttest.Build(t, ".", "clickhouse")
	for name, binary := range map[string]string{"in process": "", "as a process": binary} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report.Run(t, harness{Server: remote.Behind(t, clickhousetest.URL(t)), binary: binary, places: new(atomic.Int64)})
		})
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return &clickHouse{}
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	return sqltest.Settings(t, settings{URL: h.URL, TablePrefix: fmt.Sprintf("place %d ", h.places.Add(1))})
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
	return sqltest.Unfold(t, append(read(t, s.URL, s.TablePrefix+object), read(t, s.URL, s.TablePrefix+object+"_changes")...))
}

// read reads a table with every value as text; null is left out.
func read(t testing.TB, url, table string) []map[string]string {
	t.Helper()
	d := visit(t, url)
	columns, err := d.Columns(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	if len(columns) == 0 {
		return nil
	}
	var texts []string
	for _, c := range columns {
		texts = append(texts, "CAST(toString("+quote(c.Name)+") AS Nullable(String))")
	}
	found, err := d.conn.Query(t.Context(), "SELECT "+strings.Join(texts, ", ")+" FROM "+d.dialect().table(table)+" FINAL")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	return sqltest.Read(t, found, columns)
}
