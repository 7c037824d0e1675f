package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config/views"
	"github.com/sluicehq/sluice/config/views/viewstest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// The views of the warehouse pack work over the tables that are made here.
func TestViews(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warehouse.db")
	d, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.pool.Close()
	viewstest.Run(t, viewstest.Database{
		Destination: start(t, settings{Path: path, TablePrefix: "my "}),
		Dialect:     "sqlite",
		Place:       views.Place{Prefix: "my "},
		Exec: func(t *testing.T, statement string) error {
			_, err := d.pool.ExecContext(t.Context(), statement)
			return err
		},
		Rows: func(t *testing.T, view string, columns []string) [][]string {
			found, err := d.pool.QueryContext(t.Context(), "SELECT "+strings.Join(columns, ", ")+" FROM "+sqlcore.Quote("my "+view))
			if err != nil {
				t.Fatalf("%s: %v", view, err)
			}
			defer found.Close()
			return viewstest.Texts(t, found, len(columns))
		},
	})
}
