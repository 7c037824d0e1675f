package main

import (
	"testing"

	"github.com/sluicehq/sluice/config/views"
	"github.com/sluicehq/sluice/config/views/viewstest"
)

// The views of the warehouse pack name tables and columns as they are made here.
func TestViews(t *testing.T) {
	here := dialect{dataset: "my-project.books"}
	viewstest.Names(t, "bigquery", views.Place{Schema: "my-project.books"}, here.Table, here.Quote)
}
