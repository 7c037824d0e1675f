package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Settle implements [ledger.Deliveries].
func (l *Ledger) Settle(ctx context.Context, token ledger.ClaimToken, outcomes []ledger.Outcome) error {
	return explain(l.settle(ctx, token, l.claims.get(token.ID), outcomes), "settle for %s", token.Destination)
}

// settle books the outcomes and ends the leases on all of the ids too.
func (l *Ledger) settle(ctx context.Context, token ledger.ClaimToken, ids []int64, outcomes []ledger.Outcome) error {
	ids = slices.Clone(ids)
	for _, o := range outcomes {
		ids = append(ids, o.DeliveryID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) == 0 {
		return nil
	}
	scopes, err := l.parentScopes(ctx, outcomes)
	if err != nil {
		return err
	}
	var s *settlement
	err = l.write(ctx, func(ctx context.Context, t *tx) error {
		s = &settlement{l: l, token: token, ids: ids, scopes: scopes, own: make(map[int64]*settling, len(ids))}
		return s.run(ctx, t, outcomes)
	})
	if err != nil {
		return err
	}
	l.claims.remove(token.ID)
	lost := slices.ContainsFunc(outcomes, func(o ledger.Outcome) bool { return o.Lost })
	if len(s.own) > 0 {
		l.claims.answered(token.Destination, s.suspects, lost)
	}
	return l.lookAgain(ctx, &s.blocked)
}

// settlement is one run of Settle.
type settlement struct {
	l        *Ledger
	token    ledger.ClaimToken
	ids      []int64
	own      map[int64]*settling // what the claim still holds
	suspects bool                // it held nothing else
	letters  bool                // some have open dead letters
	now      time.Time
	paused   time.Duration
	at       moments
	tally    tally

	waits   bool                      // something waits for a parent at the destination
	scopes  map[event.RecordKey]int64 // of parents
	deliver struct {
		ids, versions []int64
		told          []bool // what elements are there
		children      []*string
	}
	blocked blocking
	wait    struct {
		ids  []int64
		due  []*time.Time
		held []bool
	}
	retry struct {
		ids                      []int64
		due                      []*time.Time
		lost                     []bool
		errorKind, code, message []string
	}
	newer []int64 // given up, but a newer version is wanted by now
	bury  struct {
		ids                      []int64
		errorKind, code, message []string
	}
	rows letterRows
}

// settling is a delivery that the claim still holds.
type settling struct {
	modelKey
	id, batch, route, wanted, version int64
	attempts, suspect                 int
	record, seq                       *int64
	idx                               *int32
	key                               event.RecordKey
	head                              eventHead
}

func (s *settlement) run(ctx context.Context, t *tx, outcomes []ledger.Outcome) error {
	b := t.batch()
	s.read(b)
	if err := t.send(ctx, b); err != nil {
		return err
	}
	s.at = s.l.moments(s.now)
	for _, o := range outcomes {
		if d := s.own[o.DeliveryID]; d != nil {
			if err := s.sort(o, d); err != nil {
				return err
			}
		}
	}
	b = t.batch()
	s.book(b)
	b.Queue(`DELETE FROM leases WHERE delivery = ANY($1) AND token = $2`, s.ids, s.token.ID)
	s.tally.flush(b)
	return t.commit(ctx, b)
}

// read locks the deliveries first, as an application does. A row that another
// claim has leased meanwhile does not match any more.
func (s *settlement) read(b *pgx.Batch) {
	b.Queue(`SELECT 1 FROM deliveries WHERE id = ANY($1) ORDER BY id FOR UPDATE`, s.ids)
	b.Queue(`SELECT d.id, d.destination, d.model, d.batch, d.route, d.wanted, l.version, d.attempts, d.suspect, d.record_id, d.event_seq, d.idx,
			coalesce(k.source, e.source, ''), coalesce(k.company_id, e.company_id, ''), coalesce(k.integration, e.integration, ''),
			coalesce(k.model, ''), coalesce(r.platform_id, ''), coalesce(e.event_id, ''), n.name, m.name
		FROM leases l JOIN deliveries d ON d.id = l.delivery
		LEFT JOIN records r ON r.id = d.record_id LEFT JOIN scopes k ON k.id = r.scope LEFT JOIN events e ON e.seq = d.event_seq
		JOIN names n ON n.id = d.route JOIN names m ON m.id = d.model
		WHERE l.delivery = ANY($1) AND l.token = $2 AND d.state = 0 ORDER BY d.id`, s.ids, s.token.ID).Query(func(rows pgx.Rows) error {
		var d settling
		var route, model string
		_, err := pgx.ForEachRow(rows, []any{
			&d.id, &d.destination, &d.model, &d.batch, &d.route, &d.wanted, &d.version, &d.attempts, &d.suspect, &d.record, &d.seq, &d.idx,
			&d.head.source, &d.head.companyID, &d.head.integration, &d.key.Model, &d.key.PlatformID, &d.head.id, &route, &model,
		}, func() error {
			own := d
			s.own[d.id] = &own
			s.suspects = s.suspects || d.suspect > 0
			s.l.names.byID.Store(d.route, route)
			s.l.names.byID.Store(d.modelKey.model, model)
			return nil
		})
		return err
	})
	one(b, func(r pgx.Row) error { return r.Scan(&s.now, &s.paused, &s.letters, &s.waits) }, `SELECT `+dbNow("$1")+`,
			coalesce((SELECT paused FROM clocks WHERE destination = $2), interval '0'),
			EXISTS (SELECT 1 FROM dead_letters WHERE state = 'open' AND delivery_id = ANY($3)),
			EXISTS (SELECT 1 FROM parents p JOIN names n ON n.id = p.destination WHERE n.name = $2)`,
		s.l.clock(), text(s.token.Destination), s.ids)
}

// sort puts an outcome to those of its kind.
func (s *settlement) sort(o ledger.Outcome, d *settling) error {
	switch o.Result {
	case ledger.OutcomeDelivered:
		children, err := encodeChildren(o.Children)
		if err != nil {
			return err
		}
		s.deliver.ids, s.deliver.versions = append(s.deliver.ids, d.id), append(s.deliver.versions, o.Version)
		s.deliver.told, s.deliver.children = append(s.deliver.told, o.Children != nil), append(s.deliver.children, children)
		if d.record == nil || d.wanted <= o.Version {
			s.tally.leave(d.modelKey, d.batch, waiting)
			s.tally.come(d.modelKey, d.batch, delivered)
		}
	case ledger.OutcomeWait:
		s.wait.ids, s.wait.due, s.wait.held = append(s.wait.ids, d.id), append(s.wait.due, s.at.out(o.RetryAt)), append(s.wait.held, o.Held)
	case ledger.OutcomeDead:
		s.giveUp(o, d)
	case ledger.OutcomeBlocked:
		s.block(o, d)
	default:
		r := &s.retry
		r.ids, r.due, r.lost = append(r.ids, d.id), append(r.due, s.at.out(o.RetryAt)), append(r.lost, o.Lost)
		r.errorKind, r.code, r.message = append(r.errorKind, text(o.ErrorKind)), append(r.code, text(o.Code)), append(r.message, text(o.Message))
	}
	return nil
}

// giveUp makes a dead letter. A newer version that is wanted by now has not been
// tried: then the delivery waits for it instead.
func (s *settlement) giveUp(o ledger.Outcome, d *settling) {
	if d.wanted > d.version {
		s.newer = append(s.newer, d.id)
		return
	}
	s.bury.ids = append(s.bury.ids, d.id)
	s.bury.errorKind, s.bury.code, s.bury.message = append(s.bury.errorKind, text(o.ErrorKind)), append(s.bury.code, text(o.Code)), append(s.bury.message, text(o.Message))
	s.tally.leave(d.modelKey, d.batch, waiting)
	s.tally.come(d.modelKey, d.batch, dead)
	row := letterRow{
		DeadLetter: ledger.DeadLetter{
			Destination: s.token.Destination, Route: s.l.name(d.route), Kind: ledger.DeliverRecord, Key: d.key, Version: d.wanted,
			ErrorKind: o.ErrorKind, Code: o.Code, Message: o.Message, Attempts: d.attempts + 1,
		}, delivery: d.id, head: d.head, model: s.l.name(d.modelKey.model),
	}
	if d.seq != nil {
		row.Kind, row.EventSeq, row.EventID, row.Index = appendKind(*d.idx), *d.seq, d.head.id, int(*d.idx)
	}
	s.rows.add(row)
}

func (s *settlement) book(b *pgx.Batch) {
	if s.letters {
		// Close what has gone on, before new ones come.
		b.Queue(`UPDATE dead_letters SET state = 'superseded' WHERE state = 'open' AND delivery_id = ANY($1)`,
			slices.Concat(s.deliver.ids, s.bury.ids))
	}
	if len(s.deliver.ids) > 0 {
		// If a newer version is wanted by now, the delivery waits again.
		//
		// Invariant 3: a destination never goes back to an older version of a record.
		b.Queue(`UPDATE deliveries d SET
				delivered = CASE WHEN d.record_id IS NULL THEN d.wanted ELSE greatest(d.delivered, g.version) END,
				state = CASE WHEN d.record_id IS NULL OR d.wanted <= g.version THEN 1 ELSE 0 END,
				attempts = 0, suspect = 0, first_fail = NULL, blocked = NULL, due = NULL, delivered_at = $3,
				children = CASE WHEN g.told THEN g.children ELSE d.children END,
				error_kind = NULL, code = NULL, message = NULL
			FROM unnest($1::bigint[], $2::bigint[], $4::bool[], $5::text[]) AS g(id, version, told, children) WHERE d.id = g.id`,
			s.deliver.ids, s.deliver.versions, s.now, s.deliver.told, s.deliver.children)
		s.wake(b)
	}
	if len(s.wait.ids) > 0 {
		b.Queue(`UPDATE deliveries d SET due = g.due,
				first_fail = CASE WHEN g.held THEN d.first_fail + greatest(g.due - $4, interval '0') ELSE d.first_fail END
			FROM unnest($1::bigint[], $2::timestamptz[], $3::bool[]) AS g(id, due, held) WHERE d.id = g.id`,
			s.wait.ids, s.wait.due, s.wait.held, s.now)
	}
	if r := &s.retry; len(r.ids) > 0 {
		b.Queue(`UPDATE deliveries d SET attempts = d.attempts + 1, first_fail = coalesce(d.first_fail, $7), blocked = NULL, due = g.due,
				suspect = CASE WHEN g.lost THEN d.suspect + 1 ELSE 0 END, error_kind = g.error_kind, code = g.code, message = g.message
			FROM unnest($1::bigint[], $2::timestamptz[], $3::bool[], $4::text[], $5::text[], $6::text[]) AS g(id, due, lost, error_kind, code, message)
			WHERE d.id = g.id`, r.ids, r.due, r.lost, r.errorKind, r.code, r.message, s.now.Add(-s.paused))
	}
	if len(s.newer) > 0 {
		b.Queue(`UPDATE deliveries SET attempts = 0, suspect = 0, first_fail = NULL, blocked = NULL, due = NULL WHERE id = ANY($1)`, s.newer)
	}
	if g := &s.bury; len(g.ids) > 0 {
		b.Queue(`UPDATE deliveries d SET state = 2, attempts = d.attempts + 1, suspect = 0, due = NULL,
				error_kind = g.error_kind, code = g.code, message = g.message
			FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS g(id, error_kind, code, message) WHERE d.id = g.id`,
			g.ids, g.errorKind, g.code, g.message)
		b.Queue(insertLetters, s.rows.parameters(s.now)...)
	}
	s.bookBlocked(b)
}
