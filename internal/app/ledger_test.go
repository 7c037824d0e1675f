package app_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func onPostgres(yaml, url string) string {
	return yaml + fmt.Sprintf("ledger: {postgres: {url: %q}}\n", url)
}

// A ledger is moved to PostgreSQL: what was delivered stays so, what was not is.
func TestTheLedgerMovesToPostgreSQL(t *testing.T) {
	plugins := buildFile(t)
	s := newSite(t)
	a := s.app(toFile(plugins))
	stop := run(t, a)
	for i := range 10 {
		s.post(a, fmt.Sprint("a", i))
	}
	s.delivered(a, 10)

	url := pgtest.URL(t)
	copyLedger := func(yaml, from string) (map[string]int64, error) {
		name := filepath.Join(t.TempDir(), "sluice.yaml")
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(yaml, "DIR", s.dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := config.Load(name, os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		return app.CopyLedger(t.Context(), f.Config, from, slog.New(slog.DiscardHandler))
	}
	data := filepath.Join(s.dir, "data")
	for name, tt := range map[string]struct{ yaml, from, want string }{
		"it is in use":        {onPostgres(head, url), data, "is in use by another sluice"},
		"nothing to copy to":  {head, data, "has no ledger.postgres"},
		"nothing to be found": {onPostgres(head, url), s.dir, "there is no ledger in " + s.dir},
	} {
		if _, err := copyLedger(tt.yaml, tt.from); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	counts, err := copyLedger(onPostgres(head, url), data)
	if err != nil || counts["events"] != 10 || counts["deliveries"] != 10 {
		t.Fatalf("copied %v, %v", counts, err)
	}

	a = s.app(onPostgres(toFile(plugins), url))
	stop = run(t, a)
	for i := range 10 {
		s.post(a, fmt.Sprint("b", i))
	}
	s.delivered(a, 20)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "out", "bills.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(text), "\n"); got != 20 {
		t.Errorf("%d lines for 20 changes", got)
	}
	if strings.Contains(s.log.String(), "level=ERROR") {
		t.Errorf("the log has errors:\n%s", s.log)
	}
}
