package chaos

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/harness"
)

// A short run with a fixed seed: long ones are for people (make chaos).
func TestUnderFaults(t *testing.T) {
	dir := t.TempDir()
	sluice, err := harness.Build(t.Context(), "../..", filepath.Join(dir, "bin"), "chaos")
	if err != nil {
		t.Fatal(err)
	}
	report, err := Run(t.Context(), Options{
		Seed: 1, Duration: 40 * time.Second, Gap: 800 * time.Millisecond, Rate: 40,
		Ledger: LedgerSQLite, Temporal: TemporalEmbedded, Servers: 1,
		Sluice: sluice, Dir: dir, Out: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	report.Print(t.Output())
	if !report.OK() {
		log, err := os.ReadFile(filepath.Join(dir, "server-0", "log"))
		t.Errorf("%d things are wrong; the server's log (%v):\n%s", len(report.Wrong), err, log[max(0, len(log)-10_000):])
	}
	if n := report.injected(); n < 20 || len(report.Faults) < 6 {
		t.Errorf("only %d faults of %d kinds were injected", n, len(report.Faults))
	}
	if report.Acknowledged < 300 {
		t.Errorf("only %d events were acknowledged", report.Acknowledged)
	}
}
