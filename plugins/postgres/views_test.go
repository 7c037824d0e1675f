package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/views"
	"github.com/sluicehq/sluice/config/views/viewstest"
	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/plugins/destination"
)

// The views of the warehouse pack work over the tables that are made here.
func TestViews(t *testing.T) {
	const schema = "my books"
	url := pgtest.URL(t)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	viewstest.Run(t, viewstest.Database{
		Destination: start(t, settings{URL: url, Schema: schema}),
		Dialect:     "postgres",
		Place:       views.Place{Schema: schema},
		Exec: func(t *testing.T, statement string) error {
			_, err := c.Exec(t.Context(), statement)
			return err
		},
		Rows: func(t *testing.T, view string, columns []string) [][]string {
			found, err := c.Query(t.Context(), "SELECT "+strings.Join(columns, "::text, ")+"::text FROM "+dialect{schema: schema}.Table(view))
			if err != nil {
				t.Fatalf("%s: %v", view, err)
			}
			defer found.Close()
			return viewstest.Texts(t, found, len(columns))
		},
	})
}

// What a view holds is widened once the views are dropped, and then they can be
// made again.
func TestViewsAndWidening(t *testing.T) {
	url := pgtest.URL(t)
	p := start(t, settings{URL: url})
	send := func(version int64, updated string) destination.Result {
		t.Helper()
		results, err := p.Write(t.Context(), destination.Batch{
			Mode: destination.ModeRecords, Object: "currencies", KeyFields: []string{"_company_id", "_integration_type", "_platform_id"},
			Types: map[string]destination.FieldType{
				"name": destination.TypeText, "code": destination.TypeText, "symbol": destination.TypeText,
				"is_base_currency": destination.TypeBoolean, "exchange_rate": destination.TypeNumber, "updated_at": destination.TypeTimestamp,
			},
			Records: []destination.Record{{
				Key: []string{"1", "XERO", "eur"}, Operation: destination.Upsert, Version: version,
				Fields: map[string]json.RawMessage{"updated_at": json.RawMessage(updated)}, Changed: []string{"updated_at"},
			}},
		})
		if err != nil || len(results) != 1 {
			t.Fatal(results, err)
		}
		return results[0]
	}
	pack, err := config.LoadPack("rootfi/warehouse")
	if err != nil {
		t.Fatal(err)
	}
	all, err := views.Of(pack)
	if err != nil {
		t.Fatal(err)
	}
	if all, err = views.Only(all, []string{"currencies_current"}); err != nil {
		t.Fatal(err)
	}
	d, err := views.For("postgres", views.Place{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := d.Create(all)
	if err != nil {
		t.Fatal(err)
	}
	apply := func(list []views.Statements) {
		t.Helper()
		for _, s := range list {
			exec(t, url, s.SQL...)
		}
	}
	if got := send(1, `"2026-03-01T12:00:00Z"`); got.Kind != destination.Delivered {
		t.Fatal(got)
	}
	apply(made)
	if got := send(2, `"lately"`); got.Kind != destination.Rejected || got.Code != "0A000" {
		t.Fatalf("a column that a view uses: %+v", got)
	}
	apply(d.Drop(all))
	if got := send(2, `"lately"`); got.Kind != destination.Delivered {
		t.Fatalf("once the views are gone: %+v", got)
	}
	apply(made)
}
