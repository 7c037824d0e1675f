package main

import (
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

func TestSQL(t *testing.T) { sqltest.Run(t, newPlace) }

func TestStatements(t *testing.T) { sqltest.Golden(t, newPlace(t), &database{}) }

func newPlace(t *testing.T) sqltest.Place {
	path := filepath.Join(t.TempDir(), "warehouse.db")
	return sqltest.Place{
		Open: func(t *testing.T, remove string) destination.Destination {
			return start(t, settings{Path: path, Delete: remove})
		},
		Rows:  func(t *testing.T, table string) []map[string]string { return rows(t, path, table) },
		Exec:  func(t *testing.T, statements ...string) { exec(t, path, statements...) },
		Table: dialect{}.Table,
	}
}

// start returns a configured destination that is closed with t.
func start(t testing.TB, o settings) *sqlite {
	t.Helper()
	s := &sqlite{}
	if err := s.Configure(t.Context(), sqltest.Settings(t, o)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func exec(t testing.TB, path string, statements ...string) {
	t.Helper()
	d, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.pool.Close()
	for _, s := range statements {
		if _, err := d.pool.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
