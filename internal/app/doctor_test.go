package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/ledger"
)

func TestDoctorLooksAtThePlace(t *testing.T) {
	collect := func(look func(func(ledger.Finding)) error) (out []string) {
		t.Helper()
		if err := look(func(f ledger.Finding) { out = append(out, f.Check+": "+f.Problem) }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	disk := func(free uint64, network string) []string {
		return collect(func(report func(ledger.Finding)) error {
			judgeDisk("data", free, network, report)
			return nil
		})
	}
	if got := disk(5<<30, ""); len(got) != 0 {
		t.Errorf("a good disk: %v", got)
	}
	if got := disk(5<<20, "NFS"); len(got) != 2 || !strings.Contains(got[0], "(NFS)") || got[1] != "disk: 5 MiB are free" {
		t.Errorf("a bad disk: %v", got)
	}

	dir := t.TempDir()
	file := filepath.Join(dir, "ledger", "events.db")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	look := func(report func(ledger.Finding)) error { return rights(dir, report) }
	if got := collect(look); len(got) != 0 {
		t.Errorf("in a closed folder: %v", got)
	}
	if err := os.Chmod(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := collect(look); len(got) != 2 || got[1] != "rights: others may use it (mode 0644)" {
		t.Errorf("in an open folder: %v", got)
	}
}
