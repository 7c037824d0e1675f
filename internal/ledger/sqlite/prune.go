package sqlite

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

// pruneAtOnce bounds the transactions of Prune: appends wait for them.
const pruneAtOnce = 500

// Prune implements [ledger.Operator]. It goes through done batches, oldest
// first. In each, deliveries go before their event and the events before the
// batch, so that a crash leaves nothing that would be delivered again.
func (l *Ledger) Prune(ctx context.Context, before time.Time) (ledger.Pruned, error) {
	out, err := l.prune(ctx, before)
	return out, explain(err, "prune")
}

func (l *Ledger) prune(ctx context.Context, before time.Time) (out ledger.Pruned, err error) {
	// This marks what is done.
	if _, err := l.undone(ctx, 0, 1<<31); err != nil {
		return out, err
	}
	for after := int64(0); ; {
		page, err := l.oldBatches(ctx, after, before)
		if err != nil {
			return out, err
		}
		if len(page) == 0 {
			break
		}
		for _, b := range page {
			if err := l.pruneBatch(ctx, b, before, &out); err != nil {
				return out, err
			}
		}
		after = page[len(page)-1].ID
	}
	return out, l.shrink(ctx)
}

// oldBatches returns a page of done batches that began before the moment.
func (l *Ledger) oldBatches(ctx context.Context, after int64, before time.Time) (page []ledger.Batch, err error) {
	err = l.events.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT b.id, b.first_seq, b.last_seq FROM batches b
			WHERE b.done = 1 AND b.id > ?1 AND (b.created_at < ?2
				OR (SELECT min(e.received_at) FROM events e WHERE e.seq BETWEEN b.first_seq AND b.last_seq) < ?2)
			ORDER BY b.id LIMIT ?3`,
			func(r row) error {
				page = append(page, ledger.Batch{ID: r.int(0), FirstSeq: r.int(1), LastSeq: r.int(2)})
				return nil
			}, after, before.UnixMicro(), pruneAtOnce)
	})
	return page, err
}

func (l *Ledger) pruneBatch(ctx context.Context, b ledger.Batch, before time.Time, out *ledger.Pruned) error {
	for from := b.FirstSeq; from > 0 && from <= b.LastSeq; from += pruneAtOnce {
		to := min(from+pruneAtOnce-1, b.LastSeq)
		seqs, err := l.finished(ctx, from, to, before)
		if err != nil {
			return err
		}
		if err := l.pruneEvents(ctx, seqs, out); err != nil {
			return err
		}
	}
	empty := false
	err := l.events.write(ctx, func(c *conn) error {
		left, err := c.one(ctx, `SELECT 1 FROM events WHERE seq > 0 AND seq BETWEEN ? AND ? LIMIT 1`, func(row) {}, b.FirstSeq, b.LastSeq)
		if empty = !left; err != nil || left {
			return err
		}
		_, err = c.exec(`DELETE FROM batches WHERE id = ? AND (first_seq > 0 OR created_at < ?)`, b.ID, before.UnixMicro())
		return err
	})
	if err != nil || !empty {
		return err
	}
	out.Batches++
	// Last: a batch that is not known as applied would be applied again.
	return l.state.write(ctx, func(c *conn) error {
		if _, err := c.exec(`DELETE FROM batch_counts WHERE batch = ?`, b.ID); err != nil {
			return err
		}
		_, err := c.exec(`DELETE FROM batches WHERE id = ?`, b.ID)
		return err
	})
}

// finished returns the events from first to last that came before the moment and
// that no open delivery and no open dead letter needs.
func (l *Ledger) finished(ctx context.Context, first, last int64, before time.Time) ([]int64, error) {
	var old, seqs []int64
	err := l.events.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT seq FROM events WHERE seq BETWEEN ? AND ? AND received_at < ? ORDER BY seq`,
			func(r row) error {
				old = append(old, r.int(0))
				return nil
			}, first, last, before.UnixMicro())
	})
	if err != nil || len(old) == 0 {
		return nil, err
	}
	err = l.state.read(ctx, func(c *conn) error {
		for _, seq := range old {
			open, err := c.one(ctx, `SELECT 1 WHERE EXISTS (SELECT 1 FROM deliveries WHERE event_seq = ?1 AND state = 0)
				OR EXISTS (SELECT 1 FROM dead_letters WHERE event_seq = ?1 AND state = 'open' AND event_seq > 0)`, func(row) {}, seq)
			if err != nil {
				return err
			}
			if !open {
				seqs = append(seqs, seq)
			}
		}
		return nil
	})
	return seqs, err
}

// pruneEvents deletes events with their deliveries. Nothing can open those again
// in between: an applied batch books no more, and only an open dead letter can
// be retried.
func (l *Ledger) pruneEvents(ctx context.Context, seqs []int64, out *ledger.Pruned) error {
	if len(seqs) == 0 {
		return nil
	}
	var gone int64
	err := l.state.write(ctx, func(c *conn) error {
		gone = 0
		var t tally
		for _, seq := range seqs {
			if err := c.query(ctx, `DELETE FROM deliveries WHERE event_seq = ? AND state <> 0 RETURNING destination, model, state`,
				func(r row) error {
					gone++
					t.add(modelKey{r.int(0), r.int(1)}, int(r.int(2)), -1)
					return nil
				}, seq); err != nil {
				return err
			}
		}
		return t.flush(c)
	})
	if err != nil {
		return err
	}
	out.Deliveries += gone
	err = l.events.write(ctx, func(c *conn) error {
		for _, seq := range seqs {
			if _, err := c.exec(`DELETE FROM events WHERE seq = ?`, seq); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		out.Events += int64(len(seqs))
	}
	return err
}

// freeAtOnce is how many pages go back to the file system in one transaction.
// Fewer than that stay, for what comes next.
const freeAtOnce = 2000

// shrink gives the room of what was deleted back, bit by bit.
func (l *Ledger) shrink(ctx context.Context) error {
	for _, f := range []*file{l.events, l.state} {
		for more := true; more; {
			err := f.do(ctx, &job{plain: true, run: func(c *conn) error {
				var free int64
				if _, err := c.one(ctx, `PRAGMA freelist_count`, func(r row) { free = r.int(0) }); err != nil {
					return err
				}
				if more = free >= freeAtOnce; !more {
					return nil
				}
				return c.query(ctx, `PRAGMA incremental_vacuum(2000)`, func(row) error { return nil })
			}})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
