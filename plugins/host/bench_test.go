package host_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/plugins/host"
)

// Through the border and back, to a plugin that does nothing.
func BenchmarkWrite(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, host.Prefix+"test")); err != nil {
		b.Fatal(err)
	}
	h := host.New(host.Options{Dirs: []string{dir}})
	if err := h.Start(b.Context(), host.Spec{Destination: "d", Plugin: "test"}); err != nil {
		b.Fatal(err)
	}
	defer h.Stop(b.Context())
	full := batch("invoices", 1000)
	for i := range full.Records {
		for n := range 30 {
			full.Records[i].Fields[fmt.Sprint("field_", n)] = json.RawMessage(`"a value of some length"`)
		}
	}
	for b.Loop() {
		if _, err := h.Write(b.Context(), "d", full); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "records/s")
}
