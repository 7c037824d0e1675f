package main

import (
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/internal/mariadbtest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

func TestSQL(t *testing.T) { sqltest.Run(t, newPlace) }

func TestStatements(t *testing.T) {
	sqltest.Golden(t, newPlace(t), &database{})
}

func newPlace(t *testing.T) sqltest.Place {
	url := mariadbtest.URL(t)
	return sqltest.Place{
		Open: func(t *testing.T, remove string) destination.Destination {
			return start(t, settings{URL: url, Delete: remove})
		},
		Rows:       func(t *testing.T, table string) []map[string]string { return rows(t, url, table) },
		Exec:       func(t *testing.T, statements ...string) { exec(t, url, statements...) },
		Table:      mariaDB.Table,
		FixedScale: true,
		// A view does not hold a column, nor does an index.
		Hold: func(table, column string) (hold, release []string) {
			return []string{
				fmt.Sprintf("CREATE INDEX held ON %s (%s)", table, column),
				fmt.Sprintf("CREATE TABLE holds (a TINYINT(1), FOREIGN KEY (a) REFERENCES %s (%s))", table, column),
			}, []string{"DROP TABLE holds", "DROP INDEX held ON " + table}
		},
		Forbid: func(table string) string {
			return "ALTER TABLE " + table + " ADD CONSTRAINT only_one CHECK (memo <> 'bad' OR _platform_id = 'first')"
		},
	}
}

// start returns a configured destination that is closed with t.
func start(t testing.TB, s settings) *mySQL {
	t.Helper()
	m := &mySQL{}
	if err := m.Configure(t.Context(), sqltest.Settings(t, s)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// visit connects beside the destination.
func visit(t testing.TB, url string) *database {
	t.Helper()
	d, err := open(settings{URL: url, MaxConnections: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.pool.Close() })
	return d
}

func exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	d := visit(t, url)
	for _, s := range statements {
		if _, err := d.pool.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
