package sqlite

import (
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

// Settle implements [ledger.Deliveries].
func (l *Ledger) Settle(ctx context.Context, token ledger.ClaimToken, outcomes []ledger.Outcome) error {
	t := l.leases.table(token.Destination)
	c, own := t.settle(token.ID)
	if c == nil {
		return nil
	}
	err := l.settle(ctx, token, own, outcomes)
	lost := slices.ContainsFunc(outcomes, func(o ledger.Outcome) bool { return o.Lost })
	t.settled(token.ID, c, err == nil, lost)
	return explain(err, "settle for %s", token.Destination)
}

func (l *Ledger) settle(ctx context.Context, token ledger.ClaimToken, own map[int64]lease, outcomes []ledger.Outcome) error {
	var seqs []int64
	for _, o := range outcomes {
		if h, ok := own[o.DeliveryID]; ok && o.Result == ledger.OutcomeDead && h.event != 0 {
			seqs = append(seqs, h.event)
		}
	}
	heads, err := l.heads(ctx, seqs)
	if err != nil {
		return err
	}
	// If power takes it back, what was delivered is delivered again at the same
	// version. What was not must not lose its reason.
	relaxed := !slices.ContainsFunc(outcomes, func(o ledger.Outcome) bool { return o.Result != ledger.OutcomeDelivered })
	return l.state.do(ctx, &job{relaxed: relaxed, run: func(c *conn) error {
		s := settlement{l: l, conn: c, destination: token.Destination, heads: heads, now: l.now()}
		if err := s.begin(); err != nil {
			return err
		}
		for _, blocked := range []bool{false, true} { // what was delivered may be what others wait for
			for _, o := range outcomes {
				h, ok := own[o.DeliveryID]
				if !ok || blocked != (o.Result == ledger.OutcomeBlocked) {
					continue
				}
				if err := s.book(o, h); err != nil {
					return err
				}
			}
		}
		return s.tally.flush(c)
	}})
}

// settlement is one run of Settle inside its transaction.
type settlement struct {
	l           *Ledger
	conn        *conn
	destination string
	heads       map[int64]eventHead
	now         time.Time
	tally       tally
	letters     bool  // there are open dead letters at all
	waits       bool  // something waits for a parent, at any destination
	paused      int64 // how long the destination was paused so far
}

func (s *settlement) begin() (err error) {
	s.letters, err = s.conn.one(context.Background(),
		`SELECT 1 FROM dead_letters WHERE state = 'open' AND delivery_id IS NOT NULL LIMIT 1`, func(row) {})
	if err != nil {
		return err
	}
	if s.waits, err = s.conn.one(context.Background(), `SELECT 1 FROM parents LIMIT 1`, func(row) {}); err != nil {
		return err
	}
	_, err = s.conn.one(context.Background(), `SELECT paused FROM clocks WHERE destination = ?`,
		func(r row) { s.paused = r.int(0) }, s.destination)
	return err
}

func (s *settlement) book(o ledger.Outcome, h lease) error {
	switch o.Result {
	case ledger.OutcomeDelivered:
		return s.deliver(o)
	case ledger.OutcomeWait:
		held := int64(0)
		if o.Held {
			held = max(o.RetryAt.Sub(s.now).Microseconds(), 0)
		}
		_, err := s.conn.exec(`UPDATE deliveries SET due = ?, first_fail = first_fail + ? WHERE id = ? AND state = 0`,
			dueAt(o.RetryAt), held, o.DeliveryID)
		return err
	case ledger.OutcomeDead:
		return s.giveUp(o, h)
	case ledger.OutcomeBlocked:
		return s.block(o)
	default:
		_, err := s.conn.exec(`UPDATE deliveries SET attempts = attempts + 1, first_fail = coalesce(first_fail, ?), blocked = NULL, due = ?,
			suspect = CASE WHEN ? THEN suspect + 1 ELSE 0 END, error_kind = ?, code = ?, message = ? WHERE id = ? AND state = 0`,
			s.now.UnixMicro()-s.paused, dueAt(o.RetryAt), o.Lost, o.ErrorKind, o.Code, o.Message, o.DeliveryID)
		return err
	}
}

func dueAt(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(t.UnixMicro(), 1)
}

// deliver books what arrived. If a newer version is wanted by now, the delivery
// waits again. A destination's version never goes back.
//
// Invariant 3: a destination never goes back to an older version of a record.
func (s *settlement) deliver(o ledger.Outcome) error {
	var k modelKey
	var batch, wanted, version int64
	var isRecord bool
	children, err := encodeChildren(o.Children)
	if err != nil {
		return err
	}
	// Not UPDATE … RETURNING: SQLite makes and drops a table for what it returns,
	// which costs more than everything else here.
	found, err := s.conn.one(context.Background(), `SELECT destination, model, batch, wanted, delivered, record_id
		FROM deliveries WHERE id = ? AND state = 0`,
		func(r row) {
			k, batch, wanted = modelKey{r.int(0), r.int(1)}, r.int(2), r.int(3)
			version, isRecord = max(r.int(4), o.Version), !r.null(5)
		}, o.DeliveryID)
	if err != nil || !found {
		return err
	}
	state := waiting
	if !isRecord {
		version = wanted
	}
	if !isRecord || wanted <= o.Version {
		state = delivered
	}
	if _, err := s.conn.exec(`UPDATE deliveries SET delivered = ?, state = ?, attempts = 0, suspect = 0, first_fail = NULL,
		blocked = NULL, children = CASE WHEN ? THEN ? ELSE children END,
		due = 0, delivered_at = ?, error_kind = NULL, code = NULL, message = NULL WHERE id = ?`,
		version, state, o.Children != nil, children, s.now, o.DeliveryID); err != nil {
		return err
	}
	if err := s.wake(o.DeliveryID); err != nil {
		return err
	}
	if state == delivered {
		s.tally.leave(k, batch, waiting)
		s.tally.come(k, batch, delivered)
	}
	return s.supersede(o.DeliveryID)
}

// supersede closes dead letters of a delivery that has gone on.
func (s *settlement) supersede(delivery int64) error {
	if !s.letters {
		return nil
	}
	_, err := s.conn.exec(`UPDATE dead_letters SET state = ? WHERE delivery_id = ? AND state = 'open'`, letterSuperseded, delivery)
	return err
}

// giveUp makes a dead letter. A newer version that is wanted by now has not been
// tried: then the delivery waits for it instead.
func (s *settlement) giveUp(o ledger.Outcome, h lease) error {
	var d struct {
		modelKey
		batch, route, record, seq, idx, wanted, attempts int64
	}
	found, err := s.conn.one(context.Background(), `SELECT destination, model, batch, route, record_id, event_seq, idx, wanted, attempts
		FROM deliveries WHERE id = ? AND state = 0`,
		func(r row) {
			d.modelKey, d.batch, d.route = modelKey{r.int(0), r.int(1)}, r.int(2), r.int(3)
			d.record, d.seq, d.idx, d.wanted, d.attempts = r.int(4), r.int(5), r.int(6), r.int(7), r.int(8)
		}, o.DeliveryID)
	if err != nil || !found {
		return err
	}
	if d.wanted > h.version {
		_, err := s.conn.exec(`UPDATE deliveries SET attempts = 0, suspect = 0, first_fail = NULL, blocked = NULL, due = 0 WHERE id = ?`, o.DeliveryID)
		return err
	}
	if err := s.supersede(o.DeliveryID); err != nil {
		return err
	}
	if _, err := s.conn.exec(`UPDATE deliveries SET state = 2, attempts = attempts + 1, suspect = 0, due = 0,
		error_kind = ?, code = ?, message = ? WHERE id = ?`, o.ErrorKind, o.Code, o.Message, o.DeliveryID); err != nil {
		return err
	}
	s.tally.leave(d.modelKey, d.batch, waiting)
	s.tally.come(d.modelKey, d.batch, dead)
	return s.write(o, d.route, d.model, d.record, d.seq, d.idx, d.wanted, d.attempts+1)
}

func (s *settlement) write(o ledger.Outcome, route, model, record, seq, idx, version, attempts int64) error {
	ctx := context.Background()
	routeName, err := nameOf(ctx, s.conn, route)
	if err != nil {
		return err
	}
	modelName, err := nameOf(ctx, s.conn, model)
	if err != nil {
		return err
	}
	head := s.heads[seq]
	kind, platformID := appendKind(idx), ""
	if record != 0 {
		kind = ledger.DeliverRecord
		var scope int64
		if _, err := s.conn.one(ctx, `SELECT scope, platform_id FROM records WHERE id = ?`,
			func(r row) { scope, platformID = r.int(0), r.text(1) }, record); err != nil {
			return err
		}
		key, err := s.l.names.key(ctx, s.conn, scope, platformID)
		if err != nil {
			return err
		}
		head = eventHead{source: key.Source, companyID: key.CompanyID, integration: key.Integration}
	}
	if _, err = s.conn.exec(insertDeadLetter, o.DeliveryID, s.destination, routeName, string(kind),
		head.source, head.companyID, head.integration, modelName, platformID, seq, head.id, idx, version,
		o.ErrorKind, o.Code, o.Message, attempts, s.now, letterOpen); err == nil {
		s.letters = true
	}
	return err
}
