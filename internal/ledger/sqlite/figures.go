package sqlite

import (
	"cmp"
	"context"
	"slices"

	"github.com/sluicehq/sluice/internal/ledger"
)

// DestinationStates implements [ledger.Reader].
func (l *Ledger) DestinationStates(ctx context.Context) ([]ledger.DestinationState, error) {
	states := make(map[string]*ledger.DestinationState)
	err := l.state.read(ctx, func(c *conn) error {
		numbers := make(map[string]int64)
		err := c.query(ctx, `SELECT n.name, sum(d.waiting), sum(d.delivered), sum(d.dead), d.destination
			FROM delivery_counts d JOIN names n ON n.id = d.destination GROUP BY d.destination`,
			func(r row) error {
				states[r.text(0)] = &ledger.DestinationState{
					Destination: r.text(0), Waiting: r.int(1), Delivered: r.int(2), Dead: r.int(3),
				}
				numbers[r.text(0)] = r.int(4)
				return nil
			})
		if err != nil {
			return err
		}
		for name, id := range numbers {
			if err := oldest(ctx, c, id, states[name]); err != nil {
				return err
			}
		}
		pauses, err := readPauses(ctx, c)
		for _, p := range pauses {
			s := states[p.Destination]
			if s == nil {
				s = &ledger.DestinationState{Destination: p.Destination}
				states[p.Destination] = s
			}
			if p.Scope != ledger.ScopeDestination {
				s.Parts = append(s.Parts, p)
				continue
			}
			s.Pause = &p
		}
		return err
	})
	out := make([]ledger.DestinationState, 0, len(states))
	for _, s := range states {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b ledger.DestinationState) int { return cmp.Compare(a.Destination, b.Destination) })
	return out, explain(err, "destination states")
}

// oldest finds since when the oldest batch's deliveries wait, among those that
// are ready and those that wait for their moment.
func oldest(ctx context.Context, c *conn, destination int64, s *ledger.DestinationState) error {
	for _, query := range []string{
		`SELECT since FROM deliveries INDEXED BY deliveries_ready
			WHERE destination = ? AND state = 0 AND due = 0 ORDER BY batch LIMIT 1`,
		`SELECT since FROM deliveries INDEXED BY deliveries_due_batch
			WHERE destination = ? AND state = 0 AND due > 0 ORDER BY batch LIMIT 1`,
	} {
		if _, err := c.one(ctx, query, func(r row) {
			if t := r.time(0); s.OldestSince.IsZero() || t.Before(s.OldestSince) {
				s.OldestSince = t
			}
		}, destination); err != nil {
			return err
		}
	}
	return nil
}

// DeliveryCounts implements [ledger.Reader].
func (l *Ledger) DeliveryCounts(ctx context.Context) ([]ledger.DeliveryCount, error) {
	var out []ledger.DeliveryCount
	err := l.state.read(ctx, func(c *conn) (err error) {
		out, err = readCounts(ctx, c, `SELECT n.name, m.name, d.waiting, d.delivered, d.dead FROM delivery_counts d
			JOIN names n ON n.id = d.destination JOIN names m ON m.id = d.model
			WHERE d.waiting + d.delivered + d.dead > 0 ORDER BY n.name, m.name`)
		return err
	})
	return out, explain(err, "delivery counts")
}

// ModelCounts implements [ledger.Reader].
func (l *Ledger) ModelCounts(ctx context.Context) (map[string]ledger.ModelCount, error) {
	out := make(map[string]ledger.ModelCount)
	err := l.state.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT model, changes, changed, unchanged FROM model_counts`, func(r row) error {
			out[r.text(0)] = ledger.ModelCount{Changes: r.int(1), Changed: r.int(2), Unchanged: r.int(3)}
			return nil
		})
	})
	return out, explain(err, "model counts")
}

// Backlog implements [ledger.Reader].
func (l *Ledger) Backlog(ctx context.Context) (ledger.Backlog, error) {
	var out ledger.Backlog
	var first int64 // of the oldest event that is not applied
	var open []ledger.Batch
	// While a destination is away many batches are open, nearly all of them
	// applied: those that were found so are not looked at again.
	applied := l.applied.Load()
	err := l.events.read(ctx, func(c *conn) error {
		if _, err := c.one(ctx, `SELECT claimed_seq + 1, max(claimed_seq, (SELECT coalesce(max(seq), 0) FROM events)) - claimed_seq FROM cursor`,
			func(r row) { first, out.Events = r.int(0), r.int(1) }); err != nil {
			return err
		}
		return c.query(ctx, `SELECT id, first_seq FROM batches WHERE done = 0 AND first_seq > 0 AND id > ? ORDER BY id`, func(r row) error {
			open = append(open, ledger.Batch{ID: r.int(0), FirstSeq: r.int(1)})
			return nil
		}, applied)
	})
	if err == nil {
		err = l.state.read(ctx, func(c *conn) error {
			for _, b := range open {
				done, err := isApplied(ctx, c, &b)
				if err != nil {
					return err
				}
				if done && out.Batches == 0 {
					applied = b.ID
				} else if !done {
					out.Batches++
					first = min(first, b.FirstSeq)
				}
			}
			l.applied.Store(applied) // an older one by a concurrent call costs time only
			return nil
		})
	}
	if err == nil {
		err = l.events.read(ctx, func(c *conn) error {
			_, err := c.one(ctx, `SELECT received_at FROM events WHERE seq = ?`, func(r row) { out.Oldest = r.time(0) }, first)
			return err
		})
	}
	return out, explain(err, "backlog")
}
