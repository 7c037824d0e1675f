package main

import (
	"context"
	"testing"

	"github.com/sluicehq/sluice/internal/clickhousetest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

func TestSQL(t *testing.T) { sqltest.Run(t, newPlace) }

// The statements for a server of today, of which the one of the tests knows some
// not yet: TestSQL sends those for old ones.
func TestStatements(t *testing.T) {
	today := unasked{&database{name: "rootfi"}}
	sqltest.Golden(t, sqltest.Place{
		Open: func(*testing.T, string) destination.Destination {
			return &clickHouse{Writer: sqlcore.NewWriter(today, sqlcore.Options{})}
		},
		Rows:     func(*testing.T, string) []map[string]string { return nil },
		SoftOnly: true,
	}, today)
}

// unasked is a database without tables.
type unasked struct{ *database }

func (unasked) Columns(context.Context, string) ([]sqlcore.Column, error) { return nil, nil }

func newPlace(t *testing.T) sqltest.Place {
	url := clickhousetest.URL(t)
	return sqltest.Place{
		Open:       func(t *testing.T, _ string) destination.Destination { return start(t, settings{URL: url}) },
		Rows:       func(t *testing.T, table string) []map[string]string { return read(t, url, table) },
		Exec:       func(t *testing.T, statements ...string) { exec(t, url, statements...) },
		Table:      quote,
		FixedScale: true,
		SoftOnly:   true,
		Engine:     " ENGINE = Log",
		Hold:       func(string, string) (hold, release []string) { return nil, nil },
		Forbid: func(table string) string {
			return "ALTER TABLE " + table + " ADD COLUMN guard UInt8 MATERIALIZED throwIf(_platform_id != 'first' AND assumeNotNull(memo) = 'bad')"
		},
	}
}

// start returns a configured destination that is closed with t.
func start(t testing.TB, s settings) *clickHouse {
	t.Helper()
	c := &clickHouse{}
	if err := c.Configure(t.Context(), sqltest.Settings(t, s)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// visit connects beside the destination.
func visit(t testing.TB, url string) *database {
	t.Helper()
	d, err := open(settings{URL: url, MaxConnections: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.conn.Close() })
	return d
}

func exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := visit(t, url).conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
