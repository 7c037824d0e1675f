package postgres_test

import (
	"context"
	"os"
	"testing"

	"github.com/sluicehq/sluice/internal/leaktest"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/ledgertest"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/pgtest"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(crashURL); url != "" {
		crashChild(url)
		return
	}
	leaktest.Exit(pgtest.Run(m))
}

func open(t testing.TB, o postgres.Options) *postgres.Ledger {
	t.Helper()
	l, err := postgres.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestLedger(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T, o ledgertest.Options) ledgertest.Store {
		opts := postgres.Options{URL: pgtest.URL(t), MaxConnections: 5, DedupWindow: o.DedupWindow, Now: o.Now}
		t.Cleanup(func() {
			for _, f := range findings(t, opts.URL) {
				// What calls the ledger gives the reasons; the suite does not always.
				if f.Problem != "it gives no reason" && f.Object != "others" {
					t.Errorf("%s: %s: %s", f.Check, f.Object, f.Problem)
				}
			}
		})
		again := func() ledger.Ledger { return open(t, opts) }
		return ledgertest.Store{Ledger: open(t, opts), Reopen: again, Crash: again}
	})
}
