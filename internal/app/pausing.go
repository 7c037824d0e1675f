package app

import (
	"context"

	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/worker"
)

// pausing is the ledger for those who pause and resume destinations: once it
// returns, this process acts on it. Other instances see it in the ledger.
type pausing struct {
	ledger.Ledger
	pauses *worker.Pauses
}

// Pause implements [ledger.Operator].
func (p pausing) Pause(ctx context.Context, pause ledger.Pause) error {
	if err := p.Ledger.Pause(ctx, pause); err != nil {
		return err
	}
	return p.pauses.Refresh(ctx)
}

// Resume implements [ledger.Operator].
func (p pausing) Resume(ctx context.Context, destination string) error {
	if err := p.Ledger.Resume(ctx, destination); err != nil {
		return err
	}
	return p.pauses.Refresh(ctx)
}
