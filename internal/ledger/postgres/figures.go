package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
)

// DestinationStates implements [ledger.Reader].
func (l *Ledger) DestinationStates(ctx context.Context) ([]ledger.DestinationState, error) {
	var out []ledger.DestinationState
	var pauses []ledger.Pause
	b := new(pgx.Batch)
	// The oldest batch's deliveries have waited longest, of those that are ready
	// and of those that wait for their moment.
	const oldest = `(SELECT d.since FROM deliveries d WHERE d.destination = c.destination AND d.state = 0 AND `
	query(b, &out, func(r pgx.CollectableRow) (s ledger.DestinationState, err error) {
		var since *time.Time
		err = r.Scan(&s.Destination, &s.Waiting, &s.Delivered, &s.Dead, &since)
		s.OldestSince = orZero(since)
		return s, err
	}, `SELECT n.name, c.waiting, c.delivered, c.dead, least(
			`+oldest+`d.due IS NULL AND d.suspect = 0 ORDER BY d.batch LIMIT 1),
			`+oldest+`d.due IS NULL AND d.suspect > 0 ORDER BY d.batch LIMIT 1),
			`+oldest+`d.due IS NOT NULL ORDER BY d.batch LIMIT 1))
		FROM (SELECT destination, sum(waiting)::bigint AS waiting, sum(delivered)::bigint AS delivered, sum(dead)::bigint AS dead
			FROM delivery_counts GROUP BY destination) c JOIN names n ON n.id = c.destination`)
	queuePauses(b, &pauses)
	if err := l.read(ctx, b); err != nil {
		return nil, explain(err, "destination states")
	}
	for _, p := range pauses {
		i := slices.IndexFunc(out, func(s ledger.DestinationState) bool { return s.Destination == p.Destination })
		if i < 0 {
			out = append(out, ledger.DestinationState{Destination: p.Destination})
			i = len(out) - 1
		}
		if p.Scope != ledger.ScopeDestination {
			out[i].Parts = append(out[i].Parts, p)
			continue
		}
		out[i].Pause = &p
	}
	slices.SortFunc(out, func(a, b ledger.DestinationState) int { return cmp.Compare(a.Destination, b.Destination) })
	return out, nil
}

func scanCount(r pgx.CollectableRow) (c ledger.DeliveryCount, err error) {
	return c, r.Scan(&c.Destination, &c.Model, &c.Waiting, &c.Delivered, &c.Dead)
}

// DeliveryCounts implements [ledger.Reader].
func (l *Ledger) DeliveryCounts(ctx context.Context) ([]ledger.DeliveryCount, error) {
	var out []ledger.DeliveryCount
	b := new(pgx.Batch)
	query(b, &out, scanCount, `SELECT n.name, m.name, sum(d.waiting)::bigint, sum(d.delivered)::bigint, sum(d.dead)::bigint
		FROM delivery_counts d JOIN names n ON n.id = d.destination JOIN names m ON m.id = d.model
		GROUP BY n.name, m.name HAVING sum(d.waiting + d.delivered + d.dead) > 0 ORDER BY n.name COLLATE "C", m.name COLLATE "C"`)
	return out, explain(l.read(ctx, b), "delivery counts")
}

// ModelCounts implements [ledger.Reader].
func (l *Ledger) ModelCounts(ctx context.Context) (map[string]ledger.ModelCount, error) {
	out := make(map[string]ledger.ModelCount)
	b := new(pgx.Batch)
	b.Queue(`SELECT model, sum(changes)::bigint, sum(changed)::bigint, sum(unchanged)::bigint FROM model_counts GROUP BY model`).
		Query(func(rows pgx.Rows) error {
			var model string
			var n ledger.ModelCount
			_, err := pgx.ForEachRow(rows, []any{&model, &n.Changes, &n.Changed, &n.Unchanged}, func() error {
				out[model] = n
				return nil
			})
			return err
		})
	return out, explain(l.read(ctx, b), "model counts")
}

// Backlog implements [ledger.Reader].
func (l *Ledger) Backlog(ctx context.Context) (ledger.Backlog, error) {
	var out ledger.Backlog
	var oldest *time.Time
	b := new(pgx.Batch)
	one(b, func(r pgx.Row) error { return r.Scan(&out.Events, &out.Batches, &oldest) }, `WITH open AS (
			SELECT first_seq FROM batches WHERE NOT done AND NOT applied AND first_seq > 0
		), arrived AS (
			SELECT coalesce(sum(n), 0)::bigint AS n FROM arrivals
		), first AS (
			SELECT least((SELECT min(first_seq) FROM open), (SELECT seqs[1] FROM arrivals ORDER BY id LIMIT 1)) AS seq
		)
		SELECT (SELECT n FROM arrived), (SELECT count(*) FROM open), (SELECT received_at FROM events e JOIN first ON e.seq = first.seq)`)
	err := l.read(ctx, b)
	out.Oldest = orZero(oldest)
	return out, explain(err, "backlog")
}
