package app

import (
	"context"
	"errors"
	"fmt"
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

// CopyLedger fills the ledger in PostgreSQL with the one of a data directory,
// which nobody may use meanwhile. It returns how many rows there are by table.
func CopyLedger(ctx context.Context, c *config.Config, dir string, log *slog.Logger) (counts map[string]int64, err error) {
	if c.Ledger.Postgres == nil {
		return nil, errors.New("the configuration has no ledger.postgres: say there where the ledger is to be")
	}
	there, err := sqlite.Exists(dir)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fmt.Errorf("there is no ledger in %s: name the data directory with --from", dir)
	}
	from, err := sqlite.Open(ctx, sqlite.Options{Dir: dir, Logger: log})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	return postgres.Copy(ctx, postgresOptions(c, log), from)
}
