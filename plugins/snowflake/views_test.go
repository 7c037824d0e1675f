package main

import (
	"testing"

	"github.com/sluicehq/sluice/config/views"
	"github.com/sluicehq/sluice/config/views/viewstest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// The views of the warehouse pack name tables and columns as they are made here.
func TestViews(t *testing.T) {
	here := dialect{schema: sqlcore.Quote(swap("prod")) + "." + sqlcore.Quote(swap("books"))}
	viewstest.Names(t, "snowflake", views.Place{Schema: "prod.books"}, here.Table, here.Quote)
}
