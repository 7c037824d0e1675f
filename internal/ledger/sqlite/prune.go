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
	if err := l.closeBatches(ctx); err != nil {
		return out, err
	}
	for after := int64(0); ; {
		page, next, err := l.oldBatches(ctx, after, before)
		if err != nil {
			return out, err
		}
		if len(page) == 0 {
			break
		}
		if err := l.prunePage(ctx, page, before, &out); err != nil {
			return out, err
		}
		after = next
	}
	return out, l.shrink(ctx)
}

// oldBatches returns those of a page of done batches that began before the
// moment, and where the next page begins. Batches are as old as their numbers
// are small: after a page without any there are no more.
func (l *Ledger) oldBatches(ctx context.Context, after int64, before time.Time) (page []ledger.Batch, next int64, err error) {
	err = l.events.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT b.id, b.first_seq, b.last_seq, b.created_at < ?2 OR coalesce(
				(SELECT e.received_at FROM events e WHERE e.seq BETWEEN b.first_seq AND b.last_seq ORDER BY e.seq LIMIT 1) < ?2, 0)
			FROM batches b WHERE b.done = 1 AND b.id > ?1 ORDER BY b.id LIMIT ?3`,
			func(r row) error {
				next = r.int(0)
				if r.int(3) != 0 {
					page = append(page, ledger.Batch{ID: next, FirstSeq: r.int(1), LastSeq: r.int(2)})
				}
				return nil
			}, after, before.UnixMicro(), pruneAtOnce)
	})
	return page, next, err
}

func (l *Ledger) prunePage(ctx context.Context, page []ledger.Batch, before time.Time, out *ledger.Pruned) error {
	var old []int64
	for _, b := range page {
		for from := b.FirstSeq; from > 0 && from <= b.LastSeq; from += pruneAtOnce {
			seqs, err := l.finished(ctx, from, min(from+pruneAtOnce-1, b.LastSeq), before)
			if err != nil {
				return err
			}
			if old = append(old, seqs...); len(old) >= pruneAtOnce {
				if err := l.pruneEvents(ctx, old, out); err != nil {
					return err
				}
				old = old[:0]
			}
		}
	}
	if err := l.pruneEvents(ctx, old, out); err != nil {
		return err
	}
	return l.pruneBatches(ctx, page, before, out)
}

// pruneBatches deletes those that have no events left.
func (l *Ledger) pruneBatches(ctx context.Context, page []ledger.Batch, before time.Time, out *ledger.Pruned) error {
	var empty []int64
	err := l.events.write(ctx, func(c *conn) error {
		empty = empty[:0]
		for _, b := range page {
			left, err := c.one(ctx, `SELECT 1 FROM events WHERE seq > 0 AND seq BETWEEN ? AND ? LIMIT 1`, func(row) {}, b.FirstSeq, b.LastSeq)
			if err != nil {
				return err
			}
			if left {
				continue
			}
			n, err := c.exec(`DELETE FROM batches WHERE id = ? AND (first_seq > 0 OR created_at < ?)`, b.ID, before.UnixMicro())
			if err != nil {
				return err
			}
			if n == 1 {
				empty = append(empty, b.ID)
			}
		}
		return nil
	})
	if err != nil || len(empty) == 0 {
		return err
	}
	out.Batches += int64(len(empty))
	// Last: a batch that is not known as applied would be applied again.
	return l.state.write(ctx, func(c *conn) error {
		for _, id := range empty {
			if _, err := c.exec(`DELETE FROM batch_counts WHERE batch = ?`, id); err != nil {
				return err
			}
			if _, err := c.exec(`DELETE FROM batches WHERE id = ?`, id); err != nil {
				return err
			}
		}
		return nil
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
			if _, err := c.exec(`DELETE FROM unrouted WHERE event_seq = ?`, seq); err != nil {
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
