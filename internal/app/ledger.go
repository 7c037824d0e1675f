package app

import (
	"context"
	"log/slog"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/fault"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
)

// openLedger opens the ledger that the configuration names.
func openLedger(ctx context.Context, c *config.Config, log *slog.Logger) (ledger.Ledger, error) {
	if c.Ledger.Postgres == nil {
		return opened(sqlite.Open(ctx, sqlite.Options{Dir: c.DataDir, DedupWindow: c.Ledger.DedupWindow, Logger: log, Now: fault.Now}))
	}
	return opened(postgres.Open(ctx, postgresOptions(c, log)))
}

// opened keeps a nil pointer from becoming an interface that is not nil.
func opened[L ledger.Ledger](l L, err error) (ledger.Ledger, error) {
	if err != nil {
		return nil, err
	}
	return l, nil
}

func postgresOptions(c *config.Config, log *slog.Logger) postgres.Options {
	p := c.Ledger.Postgres
	return postgres.Options{
		URL: p.URL, Schema: p.Schema, MaxConnections: p.MaxConnections,
		DedupWindow: c.Ledger.DedupWindow, Logger: log,
	}
}
