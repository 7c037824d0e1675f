package main

import (
	"testing"

	"github.com/sluicehq/sluice/config/views"
	"github.com/sluicehq/sluice/config/views/viewstest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// The views of the warehouse pack name tables and columns as they are made here.
func TestViews(t *testing.T) {
	here := dialect{schema: "my books"}
	viewstest.Names(t, "redshift", views.Place{Schema: "my books"}, here.Table, sqlcore.Quote)
}
