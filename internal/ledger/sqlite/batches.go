package sqlite

import (
	"context"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// ClaimBatch implements [ledger.Batches].
func (l *Ledger) ClaimBatch(ctx context.Context, max int) (ledger.Batch, bool, error) {
	var b ledger.Batch
	err := l.events.write(ctx, func(c *conn) error {
		b = ledger.Batch{}
		if err := l.accept.load(c); err != nil {
			return err
		}
		var claimed int64
		if _, err := c.one(ctx, `SELECT claimed_seq FROM cursor`, func(r row) { claimed = r.int(0) }); err != nil {
			return err
		}
		// Sequence numbers have no gaps: the writer takes the next one only for
		// an event that it stores.
		last := min(claimed+int64(max), l.accept.next-1)
		if last <= claimed {
			return nil
		}
		id, err := c.insert(`INSERT INTO batches (first_seq, last_seq, created_at) VALUES (?, ?, ?)`,
			claimed+1, last, l.now())
		if err != nil {
			return err
		}
		b = ledger.Batch{ID: id, FirstSeq: claimed + 1, LastSeq: last}
		_, err = c.exec(`UPDATE cursor SET claimed_seq = ?`, last)
		return err
	})
	if err != nil || b.ID == 0 {
		return ledger.Batch{}, false, explain(err, "claim batch")
	}
	// The claim is made: it must be answered even if the caller is in a hurry.
	err = l.events.read(context.WithoutCancel(ctx), func(c *conn) error { return loadRefs(context.WithoutCancel(ctx), c, &b) })
	if err != nil {
		return ledger.Batch{}, false, explain(err, "claim batch %d", b.ID)
	}
	return b, true, nil
}

func loadRefs(ctx context.Context, c *conn, b *ledger.Batch) error {
	if b.FirstSeq == 0 {
		return nil
	}
	b.Events = make([]ledger.EventRef, 0, b.LastSeq-b.FirstSeq+1)
	return c.query(ctx, `SELECT seq, source, event_id, kind, company_id, model, operation, sync_id
		FROM events WHERE seq BETWEEN ? AND ? ORDER BY seq`,
		func(r row) error {
			b.Events = append(b.Events, ledger.EventRef{
				Seq: r.int(0), Source: r.text(1), ID: r.text(2), Kind: event.Kind(r.text(3)),
				CompanyID: r.text(4), Model: r.text(5), Operation: event.Operation(r.text(6)), SyncID: r.text(7),
			})
			return nil
		}, b.FirstSeq, b.LastSeq)
}

// BatchByID implements [ledger.Batches].
func (l *Ledger) BatchByID(ctx context.Context, id int64) (ledger.Batch, error) {
	b := ledger.Batch{ID: id}
	err := l.events.read(ctx, func(c *conn) error {
		found, err := c.one(ctx, `SELECT first_seq, last_seq FROM batches WHERE id = ?`,
			func(r row) { b.FirstSeq, b.LastSeq = r.int(0), r.int(1) }, id)
		if err == nil && !found {
			err = ledger.ErrNotFound
		}
		if err != nil {
			return err
		}
		return loadRefs(ctx, c, &b)
	})
	if err == nil {
		err = l.state.read(ctx, func(c *conn) (err error) {
			b.Applied, err = isApplied(ctx, c, &b)
			return err
		})
	}
	if err != nil {
		return ledger.Batch{}, explain(err, "batch %d", id)
	}
	return b, nil
}

// isApplied reads from the state file. A batch without events has nothing to apply.
func isApplied(ctx context.Context, c *conn, b *ledger.Batch) (applied bool, err error) {
	if b.FirstSeq == 0 {
		return true, nil
	}
	_, err = c.one(ctx, `SELECT applied FROM batches WHERE id = ?`, func(r row) { applied = r.int(0) != 0 }, b.ID)
	return applied, err
}

// donePage is how many batches Undone looks at in one go.
const donePage = 500

// Undone implements [ledger.Batches].
func (l *Ledger) Undone(ctx context.Context, afterID int64, limit int) ([]ledger.Batch, error) {
	out, err := l.undone(ctx, afterID, limit)
	return out, explain(err, "list undone batches")
}

func (l *Ledger) undone(ctx context.Context, afterID int64, limit int) ([]ledger.Batch, error) {
	var out []ledger.Batch
	for len(out) < limit {
		page, err := l.openBatches(ctx, afterID)
		if err != nil || len(page) == 0 {
			return out, err
		}
		afterID = page[len(page)-1].ID
		undone, done, err := l.sortOut(ctx, page)
		if err != nil {
			return nil, err
		}
		if err := l.markDone(ctx, done); err != nil {
			return nil, err
		}
		undone = undone[:min(len(undone), limit-len(out))]
		err = l.events.read(ctx, func(c *conn) error {
			for i := range undone {
				if err := loadRefs(ctx, c, &undone[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out = append(out, undone...)
		if len(page) < donePage {
			break
		}
	}
	return out, nil
}

// closeBatches marks as done what has nothing left to do.
func (l *Ledger) closeBatches(ctx context.Context) error {
	for after := int64(0); ; {
		page, err := l.openBatches(ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].ID
		_, done, err := l.sortOut(ctx, page)
		if err != nil {
			return err
		}
		if err := l.markDone(ctx, done); err != nil {
			return err
		}
	}
}

// openBatches returns a page of batches that are not marked as done.
func (l *Ledger) openBatches(ctx context.Context, afterID int64) (page []ledger.Batch, err error) {
	err = l.events.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT id, first_seq, last_seq FROM batches WHERE done = 0 AND id > ? ORDER BY id LIMIT ?`,
			func(r row) error {
				page = append(page, ledger.Batch{ID: r.int(0), FirstSeq: r.int(1), LastSeq: r.int(2)})
				return nil
			}, afterID, donePage)
	})
	return page, err
}

// sortOut tells, in the state file, which batches have nothing left to do. That
// is final: an applied batch gets no new deliveries. Of those that are being
// filled it says nothing.
func (l *Ledger) sortOut(ctx context.Context, page []ledger.Batch) (undone []ledger.Batch, done []int64, err error) {
	// Before the snapshot is taken: what is not being filled any more is in it.
	filling := l.filling.all()
	err = l.state.read(ctx, func(c *conn) error {
		for _, b := range page {
			if filling[b.ID] {
				continue
			}
			var err error
			if b.Applied, err = isApplied(ctx, c, &b); err != nil {
				return err
			}
			open := !b.Applied
			if !open {
				open, err = c.one(ctx, `SELECT 1 FROM batch_counts WHERE batch = ? AND waiting > 0 LIMIT 1`, func(row) {}, b.ID)
				if err != nil {
					return err
				}
			}
			if open {
				undone = append(undone, b)
			} else {
				done = append(done, b.ID)
			}
		}
		return nil
	})
	return undone, done, err
}

func (l *Ledger) markDone(ctx context.Context, batches []int64) error {
	if len(batches) == 0 {
		return nil
	}
	// What says that they are done may not be on disk yet.
	if err := l.state.sync(); err != nil {
		return err
	}
	return l.events.write(ctx, func(c *conn) error {
		for _, id := range batches {
			if _, err := c.exec(`UPDATE batches SET done = 1 WHERE id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Pending implements [ledger.Batches].
func (l *Ledger) Pending(ctx context.Context, batch int64) (map[string]int, error) {
	out := make(map[string]int)
	err := l.state.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT n.name, sum(b.waiting) FROM batch_counts b JOIN names n ON n.id = b.destination
			WHERE b.batch = ? GROUP BY b.destination HAVING sum(b.waiting) > 0`,
			func(r row) error {
				out[r.text(0)] = int(r.int(1))
				return nil
			}, batch)
	})
	return out, explain(err, "pending deliveries of batch %d", batch)
}

// Dead implements [ledger.Batches].
func (l *Ledger) Dead(ctx context.Context, batch int64, destination string) (n int, err error) {
	err = l.state.read(ctx, func(c *conn) error {
		_, err := c.one(ctx, `SELECT sum(b.dead) FROM batch_counts b JOIN names n ON n.id = b.destination
			WHERE b.batch = ? AND n.name = ?`, func(r row) { n = int(r.int(0)) }, batch, destination)
		return err
	})
	return n, explain(err, "dead letters of batch %d", batch)
}
