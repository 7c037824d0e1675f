package main

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
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
	binary := hosttest.Build(t, ".", "duckdb")
	for _, remove := range []string{"soft", "hard"} {
		t.Run(remove, func(t *testing.T) {
			t.Parallel()
			destinationtest.Run(t, harness{remove: remove})
		})
	}
	t.Run("as a process", func(t *testing.T) {
		t.Parallel()
		destinationtest.Run(t, harness{remove: "soft", binary: binary})
	})
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return &duckDB{}
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	return sqltest.Settings(t, settings{
		Path: filepath.Join(t.TempDir(), "a new folder", "ware'house.duckdb"), Schema: "a schema", Delete: h.remove,
		ReleaseAfter: "0s", // the suite reads in another process
	})
}

func (h harness) Lacks() map[string]string { return nil }

func (h harness) Rows(t *testing.T, raw json.RawMessage, object string) []map[string]string {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return sqltest.Unfold(t, append(rows(t, s.Path, s.Schema, object), rows(t, s.Path, s.Schema, object+"_changes")...))
}

// rows reads a table with every value as text; null is left out.
func rows(t testing.TB, path, schema, table string) []map[string]string {
	t.Helper()
	d := visit(t, path, schema)
	columns, err := d.Columns(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	if len(columns) == 0 {
		return nil
	}
	var texts []string
	for _, c := range columns {
		texts = append(texts, sqlcore.Quote(c.Name)+"::VARCHAR")
	}
	var out []map[string]string
	if err := d.use(t.Context(), func(pool *sql.DB) error {
		found, err := pool.QueryContext(t.Context(), "SELECT "+strings.Join(texts, ", ")+" FROM "+d.Table(table)+" ORDER BY 1, 2, 3")
		if err == nil {
			out = sqltest.Read(t, found, columns)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}
