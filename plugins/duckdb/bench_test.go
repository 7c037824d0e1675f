package main

import (
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

// BenchmarkUpsert writes batches of 1,000 invoices: half of the rows are new, half
// are updates.
func BenchmarkUpsert(b *testing.B) {
	for name, release := range map[string]string{"file stays open": "1m", "file is released": "0s"} {
		b.Run(name, func(b *testing.B) {
			d := start(b, settings{Path: filepath.Join(b.TempDir(), "warehouse.duckdb"), ReleaseAfter: release})
			sqltest.Benchmark(b, d, 1)
		})
	}
}
