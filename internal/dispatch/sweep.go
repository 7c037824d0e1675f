package dispatch

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

// settleTime is how long a batch that this process started is left alone.
const settleTime = 30 * time.Second

// sweepLoop finds batches that nobody drives and starts them again: at once for
// what a crash or an emptied Temporal left behind, then from time to time for
// workflows that somebody terminated.
//
// Invariant 7: the state of the ledger decides, Temporal only drives.
func (d *Dispatcher) sweepLoop(ctx context.Context) {
	t := time.NewTicker(d.sweepEvery)
	defer t.Stop()
	whole := d.wholeSweeps()
	for cursor := int64(0); ; {
		switch {
		case !d.leads(ctx):
			cursor, whole = 0, d.wholeSweeps()
			clear(d.seen)
		case whole > 0:
			whole--
			cursor = d.sweep(ctx, 0, math.MaxInt)
		default:
			cursor = d.sweep(ctx, cursor, sweepPages)
		}
		select {
		case <-t.C:
		case <-d.wake:
		case <-ctx.Done():
			return
		}
	}
}

// wholeSweeps is how many looks at the beginning are at everything. Batches that
// other instances may be at are left alone at the first one.
func (d *Dispatcher) wholeSweeps() int {
	if d.shared == nil {
		return 1
	}
	return 2
}

// taskSweep names the sweeper among the tasks of all instances. Stored; never rename.
const taskSweep = "sweep"

// leads reports whether this instance is the one that sweeps. All of them would
// ask Temporal the same questions.
func (d *Dispatcher) leads(ctx context.Context) bool {
	if d.shared == nil {
		return true
	}
	hold := 2 * d.sweepEvery
	if d.unreached() < hold+d.sweepEvery {
		return false
	}
	ok, err := d.shared.Lead(ctx, taskSweep, hold)
	if err != nil && ctx.Err() == nil {
		d.log.Error("ask whether to look for batches that nobody drives", "err", err)
	}
	return ok
}

// unreached is how long ago Temporal last took nothing from this process. One
// that Temporal does not answer lets the others lead: they may reach it, and start
// the batches that this one holds in vain.
func (d *Dispatcher) unreached() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.failed)
}

// sweepPage and sweepPages bound one look. During a long outage of a destination
// many batches are open, and each costs a question to Temporal.
const (
	sweepPage  = 200
	sweepPages = 2
)

// sweep looks at batches above the cursor and returns where the next one goes on.
func (d *Dispatcher) sweep(ctx context.Context, cursor int64, pages int) int64 {
	from := cursor
	d.forgetSettled()
	open := make(map[int64]bool)
	restarted := 0
	defer func() {
		if restarted > 0 {
			d.log.Info("batches that nobody drove were started again", "batches", restarted)
		}
	}()
	for range pages {
		batches, err := d.store.Undone(ctx, cursor, sweepPage)
		if err != nil {
			d.log.Error("look for batches that nobody drives", "err", err)
			return cursor
		}
		for _, b := range batches {
			open[b.ID] = true
			ok, err := d.restart(ctx, b)
			if err != nil {
				if ctx.Err() == nil {
					d.log.Warn("start a batch again", "batch", b.ID, "err", err)
				}
				if !isRefused(err) {
					return cursor // the next sweep goes on here
				}
			}
			cursor = b.ID
			if ok {
				restarted++
			}
		}
		if len(batches) < sweepPage {
			if from == 0 {
				maps.DeleteFunc(d.seen, func(id int64, _ time.Time) bool { return !open[id] })
			}
			return 0
		}
	}
	return cursor
}

func (d *Dispatcher) restart(ctx context.Context, b ledger.Batch) (bool, error) {
	if d.driven(b) || d.young(b) {
		return false, nil
	}
	if b.Applied {
		waiting, err := d.store.Pending(ctx, b.ID)
		if err != nil {
			return false, err
		}
		// What waits for a destination that left the configuration is driven
		// when it comes back.
		if !slices.ContainsFunc(slices.Collect(maps.Keys(waiting)), d.configured) {
			return false, nil
		}
	}
	ok, err := d.starter.Restart(ctx, b)
	d.reached(err)
	return ok, err
}

// driven reports whether this process started the batch a moment ago, or is at it.
func (d *Dispatcher) driven(b ledger.Batch) bool {
	d.claiming.Lock() // then what Undone saw of a claim is in started
	defer d.claiming.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.started[b.ID]
	return ok && (at.IsZero() || time.Since(at) <= settleTime)
}

// young reports whether another instance may have claimed the batch a moment ago
// and be about to start it.
func (d *Dispatcher) young(b ledger.Batch) bool {
	if d.shared == nil || len(b.Events) == 0 { // what is driven again, nobody but a sweeper starts
		return false
	}
	at, ok := d.seen[b.ID]
	if !ok {
		at = time.Now()
		d.seen[b.ID] = at
	}
	return time.Since(at) < d.sweepEvery/2 // it was not there at the look before
}

func (d *Dispatcher) forgetSettled() {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.started, func(_ int64, at time.Time) bool {
		return !at.IsZero() && time.Since(at) > settleTime
	})
}

// Wake makes the sweeper look now, for example after dead letters were booked again.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}
