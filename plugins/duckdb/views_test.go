package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config/views"
	"github.com/sluicehq/sluice/config/views/viewstest"
)

// The views of the warehouse pack work over the tables that are made here.
func TestViews(t *testing.T) {
	const schema = "my books"
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	d := visit(t, path, schema)
	viewstest.Run(t, viewstest.Database{
		Destination: start(t, settings{Path: path, Schema: schema}),
		Dialect:     "duckdb",
		Place:       views.Place{Schema: schema},
		Exec: func(t *testing.T, statement string) error {
			return d.use(t.Context(), func(pool *sql.DB) error {
				_, err := pool.ExecContext(t.Context(), statement)
				return err
			})
		},
		Rows: func(t *testing.T, view string, columns []string) (out [][]string) {
			if err := d.use(t.Context(), func(pool *sql.DB) error {
				found, err := pool.QueryContext(t.Context(), "SELECT "+strings.Join(columns, "::VARCHAR, ")+"::VARCHAR FROM "+d.Table(view))
				if err != nil {
					return err
				}
				defer found.Close()
				out = viewstest.Texts(t, found, len(columns))
				return nil
			}); err != nil {
				t.Fatalf("%s: %v", view, err)
			}
			return out
		},
	})
}
