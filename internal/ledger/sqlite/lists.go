package sqlite

import (
	"context"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// ListEvents implements [ledger.Reader].
func (l *Ledger) ListEvents(ctx context.Context, f ledger.EventFilter) ([]ledger.EventSummary, error) {
	where, args := `seq > 0`, []any(nil)
	and := func(condition string, arg any) {
		where += " AND " + condition
		args = append(args, arg)
	}
	if f.BeforeSeq > 0 {
		and("seq < ?", f.BeforeSeq)
	}
	if f.Source != "" {
		and("source = ?", f.Source)
	}
	if f.CompanyID != "" {
		and("company_id = ?", f.CompanyID)
	}
	if f.Model != "" {
		and("model = ?", f.Model)
	}
	if f.Kind != "" {
		and("kind = ?", string(f.Kind))
	}
	if f.Unrouted {
		seqs, err := l.unroutedSeqs(ctx)
		if err != nil {
			return nil, explain(err, "list events")
		}
		and("seq IN (SELECT value FROM json_each(?))", idList(seqs))
	}
	var out []ledger.EventSummary
	err := l.events.read(ctx, func(c *conn) error {
		// NOT INDEXED: it is about the newest, so the list follows the table.
		err := c.query(ctx, `SELECT `+eventColumns+` FROM events NOT INDEXED WHERE `+where+` ORDER BY seq DESC LIMIT ?`,
			func(r row) error {
				out = append(out, ledger.EventSummary{Event: scanEvent(r)})
				return nil
			}, append(args, pageSize(f.Limit))...)
		for i := range out {
			if err != nil {
				break
			}
			var b ledger.Batch
			b, err = batchOf(ctx, c, out[i].Seq)
			out[i].Batch = b.ID
		}
		return err
	})
	if err == nil {
		err = l.state.read(ctx, func(c *conn) (err error) {
			for i := range out {
				if out[i].Batch == 0 {
					continue
				}
				if out[i].Applied, err = isApplied(ctx, c, &ledger.Batch{ID: out[i].Batch, FirstSeq: out[i].Seq}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return out, explain(err, "list events")
}

// batchOf returns the batch that holds the event; its ID is 0 if none does.
func batchOf(ctx context.Context, c *conn, seq int64) (b ledger.Batch, err error) {
	_, err = c.one(ctx, `SELECT id, first_seq, last_seq FROM batches WHERE last_seq >= ? ORDER BY last_seq LIMIT 1`,
		func(r row) { b = ledger.Batch{ID: r.int(0), FirstSeq: r.int(1), LastSeq: r.int(2)} }, seq)
	if b.FirstSeq > seq {
		b = ledger.Batch{}
	}
	return b, err
}

// EventByID implements [ledger.Reader].
func (l *Ledger) EventByID(ctx context.Context, source, id string) (ledger.EventDetail, error) {
	var out ledger.EventDetail
	var b ledger.Batch
	err := l.events.read(ctx, func(c *conn) error {
		found, err := c.one(ctx, `SELECT `+eventColumns+`, body FROM events WHERE source = ? AND event_id = ?`,
			func(r row) { out.Event = scanEvent(r) }, source, id)
		if err == nil && !found {
			err = ledger.ErrNotFound
		}
		if err == nil {
			b, err = batchOf(ctx, c, out.Seq)
		}
		return err
	})
	if err == nil && b.ID != 0 {
		out.Batch, out.BatchFirst = b.ID, b.FirstSeq
		err = l.state.read(ctx, func(c *conn) (err error) {
			if out.Applied, err = isApplied(ctx, c, &b); err != nil {
				return err
			}
			if _, err = c.one(ctx, `SELECT n.name FROM batches b JOIN names n ON n.id = b.revision WHERE b.id = ?`,
				func(r row) { out.Revision = r.text(0) }, b.ID); err != nil {
				return err
			}
			out.Deliveries, err = readCounts(ctx, c, `SELECT d.name, m.name, b.waiting, b.delivered, b.dead FROM batch_counts b
				JOIN names d ON d.id = b.destination JOIN names m ON m.id = b.model
				WHERE b.batch = ? AND b.waiting + b.delivered + b.dead > 0 ORDER BY d.name, m.name`, b.ID)
			return err
		})
	}
	if err != nil {
		return ledger.EventDetail{}, explain(err, "event %s of source %s", id, source)
	}
	return out, nil
}

func readCounts(ctx context.Context, c *conn, query string, args ...any) (out []ledger.DeliveryCount, err error) {
	err = c.query(ctx, query, func(r row) error {
		out = append(out, ledger.DeliveryCount{
			Destination: r.text(0), Model: r.text(1), Waiting: r.int(2), Delivered: r.int(3), Dead: r.int(4),
		})
		return nil
	}, args...)
	return out, err
}

// RecordsByKey implements [ledger.Reader].
func (l *Ledger) RecordsByKey(ctx context.Context, key event.RecordKey) ([]ledger.RecordDetail, error) {
	type found struct {
		id    int64
		state []byte
	}
	var rows []found
	var out []ledger.RecordDetail
	err := l.state.read(ctx, func(c *conn) error {
		err := c.query(ctx, `SELECT r.id, r.scope, r.version, r.state, r.updated_at FROM scopes s
			CROSS JOIN records r ON r.scope = s.id AND r.platform_id = ?5
			WHERE (?1 = '' OR s.source = ?1) AND (?2 = '' OR s.company_id = ?2)
				AND (?3 = '' OR s.integration = ?3) AND (?4 = '' OR s.model = ?4)
			ORDER BY r.updated_at DESC, r.id DESC`,
			func(r row) error {
				d := ledger.RecordDetail{UpdatedAt: r.time(4)}
				d.Version = r.int(2)
				var err error
				d.Key, err = l.names.key(ctx, c, r.int(1), key.PlatformID)
				rows = append(rows, found{r.int(0), r.blob(3)})
				out = append(out, d)
				return err
			}, key.Source, key.CompanyID, key.Integration, key.Model, key.PlatformID)
		for i := range rows {
			if err == nil {
				out[i].Deliveries, err = readStates(ctx, c, rows[i].id)
			}
		}
		return err
	})
	for i := range rows {
		if err == nil {
			err = out[i].DecodeState(rows[i].state)
		}
	}
	if err == nil && len(out) == 0 {
		err = ledger.ErrNotFound
	}
	if err != nil {
		return nil, explain(err, "record %s", key.PlatformID)
	}
	return out, nil
}

// readStates returns the deliveries of a record.
func readStates(ctx context.Context, c *conn, record int64) (out []ledger.DeliveryState, err error) {
	err = c.query(ctx, `SELECT n.name, r.name, v.name, d.state, d.wanted, d.delivered, d.attempts,
			d.error_kind, d.code, d.message, d.due, d.delivered_at
		FROM deliveries d JOIN names n ON n.id = d.destination JOIN names r ON r.id = d.route JOIN names v ON v.id = d.revision
		WHERE d.record_id = ? ORDER BY n.name`,
		func(r row) error {
			out = append(out, ledger.DeliveryState{
				Destination: r.text(0), Route: r.text(1), Revision: r.text(2), State: stateNames[r.int(3)],
				Wanted: r.int(4), Delivered: r.int(5), Attempts: int(r.int(6)),
				ErrorKind: r.text(7), Code: r.text(8), Message: r.text(9), RetryAt: r.time(10), DeliveredAt: r.time(11),
			})
			return nil
		}, record)
	return out, err
}
