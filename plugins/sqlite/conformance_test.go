package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

// harness reads tables as users would.
type harness struct {
	remove string
	binary string // "": in process
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "SQLite, the real library")
	binary := hosttest.Build(t, ".", "sqlite")
	for _, remove := range []string{"soft", "hard"} {
		t.Run(remove, func(t *testing.T) {
			t.Parallel()
			report.Run(t, harness{remove: remove})
		})
		t.Run(remove+" as a process", func(t *testing.T) {
			t.Parallel()
			report.Run(t, harness{remove: remove, binary: binary})
		})
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return &sqlite{}
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	raw, err := json.Marshal(settings{Path: filepath.Join(t.TempDir(), "a new folder", "ware%house?.db"), Delete: h.remove})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (h harness) Lacks() map[string]string { return nil }

func (h harness) Rows(t *testing.T, raw json.RawMessage, object string) []map[string]string {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return sqltest.Unfold(t, append(rows(t, s.Path, object), rows(t, s.Path, object+"_changes")...))
}

// rows reads a table with every value as text; null is left out.
func rows(t testing.TB, path, table string) []map[string]string {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	d, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.pool.Close()
	columns, err := d.Columns(t.Context(), table)
	if err != nil || len(columns) == 0 {
		return nil
	}
	found, err := d.pool.QueryContext(t.Context(), "SELECT * FROM "+sqlcore.Quote(table)+" ORDER BY 1, 2, 3")
	if err != nil {
		t.Fatal(err)
	}
	return sqltest.Read(t, found, columns)
}
