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
		p.destination, p.delivery = append(p.destination, d.destination), append(p.delivery, d.id)
		p.scope, p.platform, p.seen = append(p.scope, s.scopes[scope(k)]), append(p.platform, k.PlatformID), append(p.seen, o.Seen)
	}
}

// wake makes those ready that wait for what was just delivered.
func (s *settlement) wake(b *pgx.Batch) {
	if !s.waits {
		return
	}
	const woken = ` FROM parents p JOIN records r ON r.scope = p.scope AND r.platform_id = p.platform_id
		JOIN deliveries d ON d.record_id = r.id AND d.destination = p.destination WHERE d.id = ANY($1)`
	b.Queue(`UPDATE deliveries SET due = NULL WHERE state = 0 AND due IS NOT NULL AND blocked IS NOT NULL
		AND id IN (SELECT p.delivery_id`+woken+`)`, s.deliver.ids)
	b.Queue(`DELETE FROM parents WHERE (destination, scope, platform_id) IN (SELECT p.destination, p.scope, p.platform_id`+woken+`)`, s.deliver.ids)
}

// bookBlocked comes last: a parent may have been delivered since somebody looked,
// or in this settlement. Its delivery is locked before it is looked at, so that
// one that is being booked elsewhere is either seen here or sees who waits.
func (s *settlement) bookBlocked(b *pgx.Batch) {
	g := &s.blocked
	if len(g.ids) == 0 {
		return
	}
	b.Queue(`UPDATE deliveries d SET blocked = coalesce(d.blocked, $6), due = g.due, suspect = 0,
			error_kind = g.error_kind, code = g.code, message = g.message
		FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[]) AS g(id, due, error_kind, code, message)
		WHERE d.id = g.id`, g.ids, g.due, g.errorKind, g.code, g.message, s.now.Add(-s.paused))
	p := &g.parents
	if len(p.delivery) == 0 {
		return
	}
	const of = ` FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bool[]) AS g(destination, delivery, scope, platform_id, seen)`
	const there = of + ` JOIN records r ON r.scope = g.scope AND r.platform_id = g.platform_id
		JOIN deliveries d ON d.record_id = r.id AND d.destination = g.destination`
	args := []any{p.destination, p.delivery, p.scope, p.platform, p.seen}
	b.Queue(`SELECT 1`+there+` ORDER BY d.id FOR SHARE OF d`, args...)
	b.Queue(`UPDATE deliveries SET due = NULL WHERE id IN (SELECT g.delivery`+there+` WHERE NOT g.seen AND d.delivered > 0)`, args...)
	b.Queue(`INSERT INTO parents (destination, scope, platform_id, delivery_id) SELECT g.destination, g.scope, g.platform_id, g.delivery`+of+`
		ON CONFLICT DO NOTHING`, args...)
}
