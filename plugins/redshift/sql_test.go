package main

import (
	"testing"

	"github.com/jackc/pgx/v5"
	fake "github.com/sluicehq/sluice/internal/fake/redshift"
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
	server := before(t, url)
	return sqltest.Place{
		Open: func(t *testing.T, remove string) destination.Destination {
			return start(t, settings{URL: server.URL(), Delete: remove})
		},
		Rows:       func(t *testing.T, table string) []map[string]string { return pgtest.Rows(t, url, "rootfi", table) },
		Exec:       func(t *testing.T, statements ...string) { exec(t, url, statements...) },
		Table:      dialect{schema: "rootfi"}.Table,
		FixedScale: true,
	}
}

// before starts a proxy that makes the database look like Redshift.
func before(t testing.TB, url string) *fake.Server {
	t.Helper()
	s, err := fake.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// start returns a configured destination that is closed with t.
func start(t testing.TB, s settings) *redshift {
	t.Helper()
	r := &redshift{}
	if err := r.Configure(t.Context(), sqltest.Settings(t, s)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// exec does what somebody else might do, past the proxy.
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
