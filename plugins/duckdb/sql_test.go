package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

func TestSQL(t *testing.T) { sqltest.Run(t, newPlace) }

func TestStatements(t *testing.T) {
	sqltest.Golden(t, newPlace(t), newDatabase(options{schema: "rootfi"}))
}

func newPlace(t *testing.T) sqltest.Place {
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	return sqltest.Place{
		Open: func(t *testing.T, remove string) destination.Destination {
			return start(t, settings{Path: path, Schema: "rootfi", Delete: remove})
		},
		Rows:       func(t *testing.T, table string) []map[string]string { return rows(t, path, "rootfi", table) },
		Exec:       func(t *testing.T, statements ...string) { exec(t, path, statements...) },
		Table:      dialect{schema: "rootfi"}.Table,
		FixedScale: true,
		// A view does not hold a column. An index holds all of them.
		Hold: func(table, column string) (hold, release []string) {
			return []string{fmt.Sprintf("CREATE INDEX held ON %s (%s)", table, column)}, []string{"DROP INDEX rootfi.held"}
		},
		Forbid: func(table string) string {
			return "CREATE UNIQUE INDEX only_one ON " + table + " ((CASE WHEN memo = 'bad' THEN 1 END))"
		},
	}
}

// start returns a configured destination that is closed with t.
func start(t testing.TB, o settings) *duckDB {
	t.Helper()
	d := &duckDB{}
	if err := d.Configure(t.Context(), sqltest.Settings(t, o)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// visit opens the file beside the destination. Within one process DuckDB shares it.
func visit(t testing.TB, path, schema string) *database {
	t.Helper()
	return newDatabase(options{path: path, schema: schema, memory: "1GiB", threads: 2})
}

func exec(t testing.TB, path string, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := visit(t, path, "").use(t.Context(), func(pool *sql.DB) error {
			_, err := pool.ExecContext(t.Context(), s)
			return err
		}); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
