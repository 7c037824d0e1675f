package main

import (
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

// BenchmarkUpsert writes batches of 1,000 invoices: half of the rows are new, half
// are updates.
func BenchmarkUpsert(b *testing.B) {
	for name, sets := range map[string]int{"same fields": 1, "20 sets of fields": 20} {
		b.Run(name, func(b *testing.B) {
			d := start(b, settings{Path: filepath.Join(b.TempDir(), "warehouse.db")})
			sqltest.Benchmark(b, d, sets)
		})
	}
}
