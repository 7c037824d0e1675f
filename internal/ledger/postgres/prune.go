package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
)

// Bounds of the transactions of Prune.
const (
	pruneBatches = 200
	pruneEvents  = 500
)

// Prune implements [ledger.Operator]. It goes through done batches, oldest first,
// in short transactions. One instance at a time does it: another one that is
// asked meanwhile leaves it at that.
func (l *Ledger) Prune(ctx context.Context, before time.Time) (ledger.Pruned, error) {
	out, err := l.prune(ctx, before.UTC())
	return out, explain(err, "prune")
}

func (l *Ledger) prune(ctx context.Context, before time.Time) (out ledger.Pruned, err error) {
	if err := l.closeBatches(ctx, 0); err != nil {
		return out, err
	}
	for after := int64(0); ; {
		var page []doneBatch
		b := new(pgx.Batch)
		query(b, &page, func(r pgx.CollectableRow) (d doneBatch, err error) {
			return d, r.Scan(&d.id, &d.seqs, &d.old)
		}, `SELECT b.id, b.seqs, b.created_at < $2 OR coalesce(
				(SELECT e.received_at < $2 FROM unnest(b.seqs) AS u(seq) JOIN events e ON e.seq = u.seq ORDER BY e.seq LIMIT 1), false)
			FROM batches b WHERE b.done AND b.id > $1 ORDER BY b.id LIMIT $3`, after, before, pruneBatches)
		if err := l.read(ctx, b); err != nil || len(page) == 0 {
			return out, err
		}
		after = page[len(page)-1].id
		page = slices.DeleteFunc(page, func(d doneBatch) bool { return !d.old })
		// Batches are as old as their numbers are small: after a page without
		// any there are no more.
		if len(page) == 0 {
			return out, nil
		}
		elsewhere, err := l.prunePage(ctx, page, before, &out)
		if err != nil || elsewhere {
			return out, err
		}
	}
}

// doneBatch is a batch that has nothing left to do.
type doneBatch struct {
	id   int64
	seqs []int64
	old  bool // it began before the moment
}

// prunePage reports whether another instance is at it.
func (l *Ledger) prunePage(ctx context.Context, page []doneBatch, before time.Time, out *ledger.Pruned) (elsewhere bool, err error) {
	var seqs, ids []int64
	for _, d := range page {
		seqs, ids = append(seqs, d.seqs...), append(ids, d.id)
	}
	for chunk := range slices.Chunk(seqs, pruneEvents) {
		if elsewhere, err = l.pruneChunk(ctx, chunk, before, out); err != nil || elsewhere {
			return elsewhere, err
		}
	}
	return l.pruneEmpty(ctx, ids, before, out)
}

// alone begins a transaction that only one instance makes at a time.
func alone(ctx context.Context, t *tx) (bool, error) {
	var ok bool
	b := t.batch()
	one(b, func(r pgx.Row) error { return r.Scan(&ok) }, `SELECT pg_try_advisory_xact_lock(hashtextextended('sluice prune ' || current_schema(), 0))`)
	err := t.send(ctx, b)
	return ok, err
}

// pruneChunk deletes events that came before the moment and that no open delivery
// and no open dead letter needs, with their deliveries. Nothing can open those
// again: an applied batch books no more, and only an open dead letter can be
// retried.
func (l *Ledger) pruneChunk(ctx context.Context, seqs []int64, before time.Time, out *ledger.Pruned) (elsewhere bool, err error) {
	var gone []int64
	var deliveries int64
	err = l.write(ctx, func(ctx context.Context, t *tx) error {
		deliveries = 0
		ok, err := alone(ctx, t)
		if elsewhere = !ok; err != nil || elsewhere {
			return err
		}
		b := t.batch()
		query(b, &gone, pgx.RowTo[int64], `DELETE FROM events e WHERE e.seq = ANY($1) AND e.received_at < $2
				AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_seq = e.seq AND d.state = 0)
				AND NOT EXISTS (SELECT 1 FROM dead_letters x WHERE x.event_seq = e.seq AND x.event_seq > 0 AND x.state = 'open')
			RETURNING e.seq`, seqs, before)
		if err := t.send(ctx, b); err != nil {
			return err
		}
		var tally tally
		b = t.batch()
		b.Queue(`DELETE FROM deliveries WHERE event_seq = ANY($1) AND state <> 0 RETURNING destination, model, state`, gone).
			Query(func(rows pgx.Rows) error {
				var k modelKey
				var state int
				_, err := pgx.ForEachRow(rows, []any{&k.destination, &k.model, &state}, func() error {
					deliveries++
					tally.add(k, state, -1)
					return nil
				})
				return err
			})
		if err := t.send(ctx, b); err != nil {
			return err
		}
		b = t.batch()
		b.Queue(`DELETE FROM unrouted WHERE event_seq = ANY($1)`, gone)
		tally.flush(b)
		return t.commit(ctx, b)
	})
	if err == nil && !elsewhere {
		out.Events += int64(len(gone))
		out.Deliveries += deliveries
	}
	return elsewhere, err
}

// pruneEmpty deletes batches that have no events left.
func (l *Ledger) pruneEmpty(ctx context.Context, ids []int64, before time.Time, out *ledger.Pruned) (elsewhere bool, err error) {
	var gone []int64
	err = l.write(ctx, func(ctx context.Context, t *tx) error {
		ok, err := alone(ctx, t)
		if elsewhere = !ok; err != nil || elsewhere {
			return err
		}
		b := t.batch()
		query(b, &gone, pgx.RowTo[int64], `WITH gone AS (
				DELETE FROM batches b WHERE b.id = ANY($1) AND b.done AND (b.first_seq > 0 OR b.created_at < $2)
					AND NOT EXISTS (SELECT 1 FROM unnest(b.seqs) AS u(seq) JOIN events e ON e.seq = u.seq)
				RETURNING b.id
			), counts AS (
				DELETE FROM batch_counts c USING gone WHERE c.batch = gone.id
			)
			SELECT id FROM gone`, ids, before)
		return t.commit(ctx, b)
	})
	if err == nil && !elsewhere {
		out.Batches += int64(len(gone))
	}
	return elsewhere, err
}
