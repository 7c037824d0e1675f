package dispatch

import (
	"context"
	"time"
)

// How often the ledger is asked how far a batch is. Most first passes are over
// after the first few questions.
const (
	watchFirst  = 15 * time.Millisecond
	watchAtMost = 250 * time.Millisecond
)

// watch learns from the ledger how far a batch is, on which any instance may
// work, and tells it as the activities of this process would.
func (d *Dispatcher) watch(ctx context.Context, batch int64) {
	before := time.Now()
	until := before.Add(remembered)
	for wait := watchFirst; d.passes.follows(batch) && time.Now().Before(until); wait = min(2*wait, watchAtMost) {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		asked := time.Now()
		applied, waiting, err := d.shared.Progress(ctx, batch)
		if err != nil {
			continue // whoever works with the ledger has more to say about it
		}
		if applied {
			d.passes.observed(batch, waiting, d.configured, before)
		}
		before = asked
	}
}
