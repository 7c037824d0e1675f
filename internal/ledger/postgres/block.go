package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// blocking gathers the outcomes of deliveries that wait for a parent.
type blocking struct {
	ids                      []int64
	due                      []*time.Time
	errorKind, code, message []string
	parents                  struct {
		destination, delivery, scope []int64
		platform                     []string
		seen                         []bool
	}
}

// parentScopes returns the numbers of the scopes of parents. The parents need
// not be there yet.
func (l *Ledger) parentScopes(ctx context.Context, outcomes []ledger.Outcome) (map[event.RecordKey]int64, error) {
	var keys []event.RecordKey
	for _, o := range outcomes {
		for _, k := range o.Parents {
			keys = append(keys, stored(k))
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return l.scopeNumbers(ctx, keys)
}

func (s *settlement) block(o ledger.Outcome, d *settling) {
	g := &s.blocked
	g.ids, g.due = append(g.ids, d.id), append(g.due, s.at.out(o.RetryAt))
	g.errorKind, g.code, g.message = append(g.errorKind, text(o.ErrorKind)), append(g.code, text(o.Code)), append(g.message, text(o.Message))
	p := &g.parents
	for _, k := range o.Parents {
		k = stored(k)
		if len(k.PlatformID) > ledger.LongestParent {
			continue
		}
		p.destination, p.delivery = append(p.destination, d.destination), append(p.delivery, d.id)
		p.scope, p.platform, p.seen = append(p.scope, s.scopes[scope(k)]), append(p.platform, k.PlatformID), append(p.seen, o.Seen)
	}
}

// wake makes those ready that wait for what was just delivered. What somebody
// else has locked is stepped over, so that no two settlements wait for each
// other: it is becoming ready, or it is being settled, and if it is blocked once
// more, [Ledger.lookAgain] waits for this transaction. Its row stays.
func (s *settlement) wake(b *pgx.Batch) {
	if !s.waits {
		return
	}
	b.Queue(`WITH waiting AS MATERIALIZED (
			SELECT p.* FROM deliveries d JOIN records r ON r.id = d.record_id
			JOIN parents p ON p.destination = d.destination AND p.scope = r.scope AND p.platform_id = r.platform_id
			WHERE d.id = ANY($1)
		), held AS MATERIALIZED (
			SELECT id FROM deliveries WHERE id IN (SELECT delivery_id FROM waiting) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
		), woken AS (
			UPDATE deliveries d SET due = CASE WHEN d.blocked IS NULL THEN d.due END FROM held WHERE d.id = held.id
		)
		DELETE FROM parents p USING waiting w JOIN held ON held.id = w.delivery_id
		WHERE (p.destination, p.scope, p.platform_id, p.delivery_id) = (w.destination, w.scope, w.platform_id, w.delivery_id)`, s.deliver.ids)
}

// bookBlocked writes down who waits for whom. Only who holds a delivery's lock
// writes or deletes its rows in parents.
func (s *settlement) bookBlocked(b *pgx.Batch) {
	g := &s.blocked
	if len(g.ids) == 0 {
		return
	}
	b.Queue(`UPDATE deliveries d SET blocked = coalesce(d.blocked, $6), due = g.due, suspect = 0,
			error_kind = g.error_kind, code = g.code, message = g.message
		FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[]) AS g(id, due, error_kind, code, message)
		WHERE d.id = g.id`, g.ids, g.due, g.errorKind, g.code, g.message, s.now.Add(-s.paused))
	if p := &g.parents; len(p.delivery) > 0 {
		b.Queue(`INSERT INTO parents (destination, scope, platform_id, delivery_id)
			SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) ORDER BY 1, 2, 3, 4 ON CONFLICT DO NOTHING`,
			p.destination, p.scope, p.platform, p.delivery)
	}
}

// lookAgain makes those ready whose parents were delivered since somebody looked,
// or in the same settlement. That they wait is committed: a parent that is booked
// later finds them, and one that is being booked is waited for, as its lock is
// taken before it looks who waits. A process that dies before this leaves them to
// their moment.
func (l *Ledger) lookAgain(ctx context.Context, g *blocking) error {
	var destinations, deliveries, scopes []int64
	var platforms []string
	p := &g.parents
	for i, seen := range p.seen {
		if !seen {
			destinations, deliveries = append(destinations, p.destination[i]), append(deliveries, p.delivery[i])
			scopes, platforms = append(scopes, p.scope[i]), append(platforms, p.platform[i])
		}
	}
	if len(deliveries) == 0 {
		return nil
	}
	var ready []int64
	b := new(pgx.Batch)
	b.Queue(`SELECT g.delivery, d.delivered FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS g(destination, delivery, scope, platform_id)
		JOIN records r ON r.scope = g.scope AND r.platform_id = g.platform_id
		JOIN deliveries d ON d.record_id = r.id AND d.destination = g.destination
		ORDER BY d.id FOR KEY SHARE OF d`, destinations, deliveries, scopes, platforms).Query(func(rows pgx.Rows) error {
		var id, version int64
		_, err := pgx.ForEachRow(rows, []any{&id, &version}, func() error {
			if version > 0 {
				ready = append(ready, id)
			}
			return nil
		})
		return err
	})
	if err := l.read(ctx, b); err != nil || len(ready) == 0 {
		return err
	}
	return l.write(ctx, func(ctx context.Context, t *tx) error {
		b := t.batch()
		b.Queue(`UPDATE deliveries SET due = NULL WHERE id IN (SELECT id FROM deliveries
			WHERE id = ANY($1) AND state = 0 AND due IS NOT NULL AND blocked IS NOT NULL ORDER BY id FOR UPDATE)`, ready)
		return t.commit(ctx, b)
	})
}
