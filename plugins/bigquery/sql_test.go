package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/bigquery"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

func TestSQL(t *testing.T) { sqltest.Run(t, newPlace) }

func TestStatements(t *testing.T) {
	sqltest.Golden(t, newPlace(t), &database{dialect: dialect{dataset: "project.rootfi", rows: "rows1"}})
}

func newPlace(t *testing.T) sqltest.Place {
	server, url := serveFake(t, fake.Options{})
	exec := func(t *testing.T, statements ...string) {
		for _, s := range statements {
			switch s {
			case "hold", "release":
				server.Pin("project", "rootfi", "invoices", "paid", s == "hold")
			case "forbid":
				server.Ban("project", "rootfi", "invoices", "memo", "bad")
			default:
				if err := server.Exec(spell.Replace(s)); err != nil {
					t.Fatalf("%s: %v", s, err)
				}
			}
		}
	}
	return sqltest.Place{
		Open: func(t *testing.T, remove string) destination.Destination {
			return start(t, settings{Project: "project", Endpoint: url, Delete: remove})
		},
		Rows:       func(_ *testing.T, table string) []map[string]string { return server.Rows("project", "rootfi", table) },
		Exec:       exec,
		Table:      dialect{dataset: "project.rootfi"}.Table,
		FixedScale: true,
		// What a view and a rule of the owner would do, which the fake has not.
		Hold:   func(_, _ string) (hold, release []string) { return []string{"hold"}, []string{"release"} },
		Forbid: func(string) string { return "forbid" },
	}
}

// spell turns the SQL of the shared tests into BigQuery's.
var spell = strings.NewReplacer(`"lines"`, "`lines`", "id integer, memo text", "id INT64, memo STRING")

func serveFake(t testing.TB, o fake.Options) (*fake.Server, string) {
	t.Helper()
	server := fake.New(o)
	return server, listen(t, server)
}

func listen(t testing.TB, h http.Handler) (url string) {
	t.Helper()
	listening := httptest.NewServer(h)
	t.Cleanup(listening.Close)
	return listening.URL
}

// start returns a configured destination that is closed with t.
func start(t testing.TB, s settings) *warehouse {
	t.Helper()
	w := &warehouse{}
	if err := w.Configure(t.Context(), sqltest.Settings(t, s)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}
