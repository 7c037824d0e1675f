package main

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/config/views"
	"github.com/sluicehq/sluice/config/views/viewstest"
	"github.com/sluicehq/sluice/internal/pgtest"
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
