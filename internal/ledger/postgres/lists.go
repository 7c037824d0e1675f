package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// holder finds the batch that holds event e. Batches of several dispatchers
// overlap a little: the first whose range ends behind the event need not be it.
const holder = `LEFT JOIN LATERAL (SELECT b.id, b.applied, b.first_seq, b.revision FROM batches b
	WHERE b.last_seq >= e.seq AND b.first_seq <= e.seq AND e.seq = ANY(b.seqs) ORDER BY b.last_seq LIMIT 1) b ON true`

// ListEvents implements [ledger.Reader].
func (l *Ledger) ListEvents(ctx context.Context, f ledger.EventFilter) ([]ledger.EventSummary, error) {
	c := new(conditions)
	c.sql.WriteString(`true`)
	if f.BeforeSeq > 0 {
		c.and("seq < ?", f.BeforeSeq)
	}
	if f.Source != "" {
		c.and("source = ?", text(f.Source))
	}
	if f.CompanyID != "" {
		c.and("company_id = ?", text(f.CompanyID))
	}
	if f.Model != "" {
		c.and("model = ?", text(f.Model))
	}
	if f.Kind != "" {
		c.and("kind = ?", text(string(f.Kind)))
	}
	if f.Unrouted {
		c.sql.WriteString(` AND seq IN (SELECT event_seq FROM unrouted)`)
	}
	limit := c.add(pageSize(f.Limit))
	var out []ledger.EventSummary
	b := new(pgx.Batch)
	query(b, &out, func(r pgx.CollectableRow) (e ledger.EventSummary, err error) {
		return e, scanEvent(r, &e.Event, &e.Batch, &e.Applied)
	}, `SELECT `+eventColumns+`, coalesce(b.id, 0), coalesce(b.applied, false)
		FROM (SELECT * FROM events WHERE `+c.sql.String()+` ORDER BY seq DESC LIMIT `+limit+`) e `+holder+` ORDER BY e.seq DESC`, c.args...)
	return out, explain(l.read(ctx, b), "list events")
}

// EventByID implements [ledger.Reader].
func (l *Ledger) EventByID(ctx context.Context, source, id string) (ledger.EventDetail, error) {
	var found []ledger.EventDetail
	b := new(pgx.Batch)
	query(b, &found, func(r pgx.CollectableRow) (e ledger.EventDetail, err error) {
		return e, scanEvent(r, &e.Event, &e.Body, &e.Batch, &e.Applied, &e.BatchFirst, &e.Revision)
	}, `SELECT `+eventColumns+`, e.body, coalesce(b.id, 0), coalesce(b.applied, false), coalesce(b.first_seq, 0), coalesce(n.name, '')
		FROM events e `+holder+` LEFT JOIN names n ON n.id = b.revision WHERE e.source = $1 AND e.event_id = $2`, text(source), text(id))
	err := l.read(ctx, b)
	if err == nil && len(found) == 0 {
		err = errNotFound
	}
	if err == nil && found[0].Batch != 0 {
		b := new(pgx.Batch)
		query(b, &found[0].Deliveries, scanCount, `SELECT d.name, m.name, b.waiting, b.delivered, b.dead FROM batch_counts b
			JOIN names d ON d.id = b.destination JOIN names m ON m.id = b.model
			WHERE b.batch = $1 AND b.waiting + b.delivered + b.dead > 0 ORDER BY d.name COLLATE "C", m.name COLLATE "C"`, found[0].Batch)
		err = l.read(ctx, b)
	}
	if err != nil {
		return ledger.EventDetail{}, explain(err, "event %s of source %s", id, source)
	}
	return found[0], nil
}

// RecordsByKey implements [ledger.Reader].
func (l *Ledger) RecordsByKey(ctx context.Context, key event.RecordKey) ([]ledger.RecordDetail, error) {
	type row struct {
		ledger.RecordDetail
		id    int64
		state []byte
	}
	type state struct {
		ledger.DeliveryState
		record int64
	}
	var rows []row
	var states []state
	key = stored(key)
	args := []any{key.Source, key.CompanyID, key.Integration, key.Model, key.PlatformID}
	const matching = ` FROM records r JOIN scopes s ON s.id = r.scope WHERE r.platform_id = $5
		AND ($1 = '' OR s.source = $1) AND ($2 = '' OR s.company_id = $2) AND ($3 = '' OR s.integration = $3) AND ($4 = '' OR s.model = $4)`
	var now time.Time
	b := new(pgx.Batch)
	query(b, &rows, func(r pgx.CollectableRow) (d row, err error) {
		k := &d.Key
		err = r.Scan(&d.id, &d.Version, &d.state, &d.UpdatedAt, &k.Source, &k.CompanyID, &k.Integration, &k.Model, &k.PlatformID)
		d.UpdatedAt = d.UpdatedAt.UTC()
		return d, err
	}, `SELECT r.id, r.version, r.state, r.updated_at, s.source, s.company_id, s.integration, s.model, r.platform_id`+matching+
		` ORDER BY r.updated_at DESC, r.id DESC`, args...)
	one(b, func(r pgx.Row) error { return r.Scan(&now) }, `SELECT `+dbNow("$1"), l.clock())
	query(b, &states, func(r pgx.CollectableRow) (d state, err error) {
		var n int
		var due, at *time.Time
		err = r.Scan(&d.record, &d.Destination, &d.Route, &d.Revision, &n, &d.Wanted, &d.Delivered, &d.Attempts,
			&d.ErrorKind, &d.Code, &d.Message, &due, &at)
		d.State, d.RetryAt, d.DeliveredAt = stateNames[n], l.moments(now).in(due), orZero(at)
		return d, err
	}, `SELECT d.record_id, n.name, t.name, v.name, d.state, d.wanted, d.delivered, d.attempts,
			coalesce(d.error_kind, ''), coalesce(d.code, ''), coalesce(d.message, ''), d.due, d.delivered_at
		FROM deliveries d JOIN names n ON n.id = d.destination JOIN names t ON t.id = d.route JOIN names v ON v.id = d.revision
		WHERE d.record_id IN (SELECT r.id`+matching+`) ORDER BY n.name COLLATE "C"`, args...)
	err := l.read(ctx, b)
	out := make([]ledger.RecordDetail, 0, len(rows))
	for _, r := range rows {
		if err == nil {
			err = r.DecodeState(r.state)
		}
		for _, s := range states {
			if s.record == r.id {
				r.Deliveries = append(r.Deliveries, s.DeliveryState)
			}
		}
		out = append(out, r.RecordDetail)
	}
	if err == nil && len(out) == 0 {
		err = errNotFound
	}
	if err != nil {
		return nil, explain(err, "record %s", key.PlatformID)
	}
	return out, nil
}
