package main

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

func TestSQL(t *testing.T) { sqltest.Run(t, newPlace) }

func TestStatements(t *testing.T) {
	sqltest.Golden(t, newPlace(t), &database{dialect: dialect{schema: "rootfi"}})
}

func newPlace(t *testing.T) sqltest.Place {
	url := pgtest.URL(t)
	return sqltest.Place{
		Open: func(t *testing.T, remove string) destination.Destination {
			return start(t, settings{URL: url, Delete: remove})
		},
		Rows:  func(t *testing.T, table string) []map[string]string { return pgtest.Rows(t, url, "rootfi", table) },
		Exec:  func(t *testing.T, statements ...string) { exec(t, url, statements...) },
		Table: dialect{schema: "rootfi"}.Table,
	}
}

// start returns a configured destination that is closed with t.
func start(t testing.TB, s settings) *postgres {
	t.Helper()
	p := &postgres{}
	if err := p.Configure(t.Context(), sqltest.Settings(t, s)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, s := range statements {
		if _, err := c.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
