package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
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
	out := append(rows(t, s.Path, object), rows(t, s.Path, object+"_changes")...)
	for _, r := range out {
		if body, ok := r["body"]; ok {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal([]byte(body), &fields); err != nil {
				t.Fatal(err)
			}
			for name, value := range fields {
				if string(value) != "null" {
					maps.Copy(r, map[string]string{name: unquoted(string(value))})
				}
			}
		}
	}
	return out
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
	defer found.Close()
	var out []map[string]string
	for found.Next() {
		cells := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := found.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, c := range columns {
			if cells[i].Valid {
				row[c.Name] = cells[i].String
				if c.Kind == sqlcore.JSON {
					row[c.Name] = unquoted(cells[i].String)
				}
			}
		}
		out = append(out, row)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// unquoted returns a JSON string as text, and other JSON as it is.
func unquoted(value string) string {
	var s string
	if json.Unmarshal([]byte(value), &s) == nil {
		return s
	}
	return value
}
