package main

import (
	"testing"

	"github.com/sluicehq/sluice/internal/mariadbtest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

// BenchmarkUpsert writes batches of 1,000 invoices: half of the rows are new, half
// are updates.
func BenchmarkUpsert(b *testing.B) {
	sqltest.Benchmark(b, start(b, settings{URL: mariadbtest.URL(b)}), 1)
}
