package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// claimed is a row of a delivery with what it refers to.
type claimed struct {
	ledger.Delivery
	route, revision   int64
	record, seq       *int64
	idx               *int32
	firstFail         *time.Time
	blocked           *time.Time
	children          *string
	version           int64
	state             []byte
	source, company   *string
	integration, name *string
	platformID        *string
}

// load reads what was leased. The version of a record may have grown since it
// was leased: the lease is raised to the version that is read here.
func (c *claiming) load(ctx context.Context) error {
	if len(c.ids) == 0 {
		return nil
	}
	var now time.Time
	var events []event.Event
	b := new(pgx.Batch)
	one(b, func(r pgx.Row) error { return r.Scan(&now, &c.pause) }, `SELECT `+dbNow("$1")+`,
		coalesce((SELECT paused FROM clocks WHERE destination = $2), interval '0')`, c.l.clock(), text(c.in.Destination))
	query(b, &c.rows, scanClaimed, `WITH g AS MATERIALIZED (
			SELECT g.id, g.at, d.batch, d.route, d.revision, d.wanted, d.delivered, d.attempts, d.suspect, d.first_fail, d.blocked, d.children,
				d.record_id, d.event_seq, d.idx, coalesce(r.version, d.wanted) AS version, r.state,
				s.source, s.company_id, s.integration, s.model, r.platform_id
			FROM unnest($1::bigint[]) WITH ORDINALITY AS g(id, at) JOIN deliveries d ON d.id = g.id
			LEFT JOIN records r ON r.id = d.record_id LEFT JOIN scopes s ON s.id = r.scope
		), raised AS (
			UPDATE leases l SET version = g.version FROM g WHERE l.delivery = g.id AND l.token = $2 AND l.version <> g.version
		)
		SELECT id, batch, route, revision, wanted, delivered, attempts, suspect, first_fail, blocked, children, record_id, event_seq, idx, version, state,
			source, company_id, integration, model, platform_id
		FROM g ORDER BY at`, c.ids, c.out.Token.ID)
	query(b, &events, func(r pgx.CollectableRow) (e event.Event, err error) {
		return e, scanEvent(r, &e, &e.Body)
	}, `SELECT `+eventColumns+`, e.body FROM events e WHERE e.seq IN (SELECT event_seq FROM deliveries WHERE id = ANY($1))`, c.ids)
	if err := c.l.read(ctx, b); err != nil {
		return err
	}
	if err := c.nameRows(ctx); err != nil {
		return err
	}
	c.at = c.l.moments(now)
	bySeq := make(map[int64]*event.Event, len(events))
	for i := range events {
		bySeq[events[i].Seq] = &events[i]
	}
	var missing []ledger.Outcome
	for _, row := range c.rows {
		d, err := c.delivery(row, bySeq)
		if err != nil {
			return err
		}
		if d.Record == nil && d.Event == nil {
			missing = append(missing, ledger.Outcome{
				DeliveryID: d.ID, Result: ledger.OutcomeDead, ErrorKind: "unreadable", Code: "event_missing",
				Message: "the event is not in the ledger any more: restore it from a backup and retry",
			})
			continue
		}
		c.out.Items = append(c.out.Items, d)
	}
	if len(missing) == 0 {
		return nil
	}
	c.l.log.Error("events with open deliveries are missing in the ledger: restore them and retry their dead letters",
		"destination", c.in.Destination, "deliveries", len(missing))
	return c.l.settle(ctx, c.out.Token, nil, missing)
}

func scanClaimed(r pgx.CollectableRow) (c claimed, err error) {
	return c, r.Scan(&c.ID, &c.Batch, &c.route, &c.revision, &c.Wanted, &c.Delivered, &c.Attempts, &c.Suspect, &c.firstFail, &c.blocked, &c.children,
		&c.record, &c.seq, &c.idx, &c.version, &c.state, &c.source, &c.company, &c.integration, &c.name, &c.platformID)
}

func (c *claiming) nameRows(ctx context.Context) error {
	var ids []int64
	for _, r := range c.rows {
		ids = append(ids, r.route, r.revision)
	}
	return c.l.nameAll(ctx, ids...)
}

func (c *claiming) delivery(row claimed, events map[int64]*event.Event) (ledger.Delivery, error) {
	d := row.Delivery
	d.Destination, d.Route, d.Revision = c.in.Destination, c.l.name(row.route), c.l.name(row.revision)
	d.FirstFail, d.Blocked = c.moved(row.firstFail), c.moved(row.blocked)
	var err error
	if d.Children, err = decodeChildren(row.children); err != nil {
		return d, fmt.Errorf("delivery %d: %w", d.ID, err)
	}
	if row.seq != nil {
		d.Kind, d.Index, d.Event = appendKind(*row.idx), int(*row.idx), events[*row.seq]
		return d, nil
	}
	d.Kind = ledger.DeliverRecord
	if row.platformID == nil {
		return d, fmt.Errorf("the record of delivery %d is missing: check the ledger's tables", d.ID)
	}
	d.Record = &event.Record{Version: row.version, Key: event.RecordKey{
		Source: *row.source, CompanyID: *row.company, Integration: *row.integration, Model: *row.name, PlatformID: *row.platformID,
	}}
	if err := d.Record.DecodeState(row.state); err != nil {
		return d, fmt.Errorf("delivery %d: %w", d.ID, err)
	}
	return d, nil
}

// moved is a moment moved by the pauses since. A pause that began before it
// counts whole, so it may come out a little late.
func (c *claiming) moved(stored *time.Time) time.Time {
	if stored == nil {
		return time.Time{}
	}
	t := stored.Add(c.pause)
	out := c.at.in(&t)
	if out.After(c.at.here) {
		return c.at.here.UTC()
	}
	return out
}

func appendKind(index int32) ledger.DeliveryKind {
	if index < 0 {
		return ledger.DeliverEvent
	}
	return ledger.DeliverChange
}
