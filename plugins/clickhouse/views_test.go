package main

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config/views"
	"github.com/sluicehq/sluice/config/views/viewstest"
	"github.com/sluicehq/sluice/internal/clickhousetest"
)

// The views of the warehouse pack work over the tables that are made here.
func TestViews(t *testing.T) {
	url := clickhousetest.URL(t)
	d := visit(t, url)
	viewstest.Run(t, viewstest.Database{
		Destination: start(t, settings{URL: url, TablePrefix: "my "}),
		Dialect:     "clickhouse",
		Place:       views.Place{Schema: d.name, Prefix: "my "},
		Exec:        func(t *testing.T, statement string) error { return d.conn.Exec(t.Context(), statement) },
		Rows: func(t *testing.T, view string, columns []string) [][]string {
			var texts []string
			for _, c := range columns {
				texts = append(texts, "CAST(toString("+quote(c)+") AS Nullable(String))")
			}
			found, err := d.conn.Query(t.Context(), "SELECT "+strings.Join(texts, ", ")+" FROM "+d.dialect().table("my "+view))
			if err != nil {
				t.Fatalf("%s: %v", view, err)
			}
			defer found.Close()
			return viewstest.Texts(t, found, len(columns))
		},
	})
}
