package postgres

import (
	"context"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
)

// booking is what an application wants delivered.
type booking struct {
	numbers map[string]int64 // of names
	fresh   map[string]int64 // those of them that are not committed yet
	records []wish
}

// wish is a record that is wanted at a destination.
type wish struct {
	ledger.Want
	record *merged
	target
}

// target is a delivery as it is stored before.
type target struct {
	id, batch int64
	state     int
}

// book wishes the records that changed at their destinations, and books the
// deliveries of changes and events.
func (a *application) book(ctx context.Context, t *tx) error {
	names := []string{a.Revision}
	for _, m := range a.records {
		if !m.changed || a.Route == nil {
			continue
		}
		for _, w := range a.Route(ledger.Merged{Record: &m.Record, Before: m.before, Changes: a.changes[m.Key]}) {
			a.booking.records = append(a.booking.records, wish{Want: w, record: m})
			names = append(names, w.Destination, w.Route, m.Key.Model)
		}
	}
	for _, w := range a.Appends {
		names = append(names, w.Destination, w.Route, w.Model)
	}
	for _, u := range a.Unkeyed {
		names = append(names, u.Destination, u.Route, u.Model)
	}
	if err := a.number(ctx, t, names); err != nil {
		return err
	}
	if err := a.findTargets(ctx, t); err != nil {
		return err
	}
	b := t.batch()
	a.insertWishes(b)
	a.updateWishes(b)
	a.bookAppends(b)
	a.bury(b)
	return t.send(ctx, b)
}

func (a *application) number(ctx context.Context, t *tx, names []string) (err error) {
	var missing []string
	a.booking.numbers, missing = a.l.names.known(names)
	if len(missing) > 0 {
		a.booking.fresh, err = nameNumbers(ctx, t, missing)
		maps.Copy(a.booking.numbers, a.booking.fresh)
	}
	return err
}

// findTargets locks the deliveries that are there.
func (a *application) findTargets(ctx context.Context, t *tx) error {
	type pair struct{ record, destination int64 }
	at := make(map[pair]*wish)
	var records, destinations []int64
	for i := range a.booking.records {
		w := &a.booking.records[i]
		if w.record.isNew {
			continue
		}
		p := pair{w.record.id, a.booking.numbers[w.Destination]}
		at[p] = w
		records, destinations = append(records, p.record), append(destinations, p.destination)
	}
	if len(records) == 0 {
		return nil
	}
	b := t.batch()
	b.Queue(`SELECT d.id, d.record_id, d.destination, d.batch, d.state FROM deliveries d
		JOIN unnest($1::bigint[], $2::bigint[]) AS g(record_id, destination) USING (record_id, destination)
		WHERE d.record_id IS NOT NULL ORDER BY d.id FOR UPDATE OF d`, records, destinations).Query(func(rows pgx.Rows) error {
		var p pair
		var found target
		_, err := pgx.ForEachRow(rows, []any{&found.id, &p.record, &p.destination, &found.batch, &found.state}, func() error {
			at[p].target = found
			return nil
		})
		return err
	})
	return t.send(ctx, b)
}

// insertWishes books what is wanted for the first time.
func (a *application) insertWishes(b *pgx.Batch) {
	var destinations, models, routes, records, versions []int64
	for _, w := range a.booking.records {
		if w.id != 0 {
			continue
		}
		k, route := a.resolve(w.Want, w.record.Key.Model)
		destinations, models, routes = append(destinations, k.destination), append(models, k.model), append(routes, route)
		records, versions = append(records, w.record.id), append(versions, w.record.Version)
		a.tally.come(k, a.Batch, waiting)
	}
	if len(records) == 0 {
		return
	}
	b.Queue(`INSERT INTO deliveries (destination, model, route, revision, record_id, batch, state, wanted, since)
		SELECT g.destination, g.model, g.route, $6, g.record_id, $7, 0, g.wanted, $8
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS g(destination, model, route, record_id, wanted)`,
		destinations, models, routes, records, versions, a.revision(), a.Batch, a.now)
}

// updateWishes raises the version of what was wanted before. It supersedes an
// older wish, given up or not; a write that is on its way settles at its own
// version.
func (a *application) updateWishes(b *pgx.Batch) {
	var ids, routes, versions, moved []int64
	var waited []bool
	for _, w := range a.booking.records {
		if w.id == 0 {
			continue
		}
		k, route := a.resolve(w.Want, w.record.Key.Model)
		a.tally.leave(k, w.batch, w.state)
		a.tally.come(k, a.Batch, waiting)
		ids, routes, versions = append(ids, w.id), append(routes, route), append(versions, w.record.Version)
		waited = append(waited, w.state == waiting)
		if w.batch != a.Batch {
			moved = append(moved, w.id)
		}
	}
	if len(ids) == 0 {
		return
	}
	b.Queue(`UPDATE deliveries d SET route = g.route, revision = $5, batch = $6, state = 0, wanted = g.wanted, due = NULL,
			since = CASE WHEN g.waited THEN d.since ELSE $7 END, attempts = 0, suspect = 0, first_fail = NULL, blocked = NULL
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bool[]) AS g(id, route, wanted, waited) WHERE d.id = g.id`,
		ids, routes, versions, waited, a.revision(), a.Batch, a.now)
	queueMoved(b, moved, a.Batch)
}

// queueMoved lets leases follow their deliveries into the batch that wants them
// now.
func queueMoved(b *pgx.Batch, deliveries []int64, batch int64) {
	if len(deliveries) > 0 {
		b.Queue(`UPDATE leases SET batch = $2 WHERE delivery = ANY($1)`, deliveries, batch)
	}
}

// bookAppends books changes and events, each once.
func (a *application) bookAppends(b *pgx.Batch) {
	var destinations, models, routes, seqs []int64
	var indexes []int32
	for _, w := range a.Appends {
		k, route := a.resolve(w.Want, w.Model)
		destinations, models, routes = append(destinations, k.destination), append(models, k.model), append(routes, route)
		seqs, indexes = append(seqs, w.Seq), append(indexes, int32(max(w.Index, -1)))
	}
	if len(seqs) == 0 {
		return
	}
	b.Queue(`INSERT INTO deliveries (destination, model, route, revision, event_seq, idx, batch, state, wanted, since)
		SELECT g.destination, g.model, g.route, $6, g.event_seq, g.idx, $7, 0, g.event_seq, $8
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[]) AS g(destination, model, route, event_seq, idx)
		ON CONFLICT (event_seq, idx, destination) WHERE event_seq IS NOT NULL DO NOTHING RETURNING destination, model`,
		destinations, models, routes, seqs, indexes, a.revision(), a.Batch, a.now).Query(a.comeAs(waiting))
}

// comeAs counts each row of a query in the state.
func (a *application) comeAs(state int) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var k modelKey
		_, err := pgx.ForEachRow(rows, []any{&k.destination, &k.model}, func() error {
			a.tally.come(k, a.Batch, state)
			return nil
		})
		return err
	}
}

// bury makes dead letters of changes that have no key, each once.
func (a *application) bury(b *pgx.Batch) {
	var letters letterRows
	for _, u := range a.Unkeyed {
		h := a.heads[u.Seq]
		letters.add(letterRow{
			DeadLetter: ledger.DeadLetter{
				Destination: u.Destination, Route: u.Route, Kind: ledger.DeliverChange, EventSeq: u.Seq, EventID: h.id,
				Index: u.Index, ErrorKind: errorUnkeyed, Message: u.Reason,
			}, head: h, model: u.Model,
		})
	}
	if len(letters.destination) == 0 {
		return
	}
	b.Queue(`WITH buried AS (`+insertLetters+` ON CONFLICT (event_seq, idx, destination) WHERE delivery_id IS NULL DO NOTHING
		RETURNING destination, model)
		SELECT d.id, m.id FROM buried b JOIN names d ON d.name = b.destination JOIN names m ON m.name = b.model`,
		letters.parameters(a.now)...).Query(a.comeAs(dead))
}

func (a *application) revision() int64 { return a.booking.numbers[a.Revision] }

func (a *application) resolve(w ledger.Want, model string) (k modelKey, route int64) {
	n := a.booking.numbers
	return modelKey{n[w.Destination], n[model]}, n[w.Route]
}

// eventHead is what a dead letter says of its event, for as long as it is kept:
// the event may be gone by then.
type eventHead struct{ source, id, companyID, integration string }

func queueHeads(b *pgx.Batch, out *map[int64]eventHead, seqs []int64) {
	b.Queue(`SELECT seq, source, event_id, company_id, integration FROM events WHERE seq = ANY($1)`, seqs).Query(func(rows pgx.Rows) error {
		*out = make(map[int64]eventHead, len(seqs))
		var seq int64
		var h eventHead
		_, err := pgx.ForEachRow(rows, []any{&seq, &h.source, &h.id, &h.companyID, &h.integration}, func() error {
			(*out)[seq] = h
			return nil
		})
		return err
	})
}

// letterRow is a dead letter to be written.
type letterRow struct {
	ledger.DeadLetter
	delivery int64 // 0: none
	head     eventHead
	model    string
}

// letterRows are the parameters of insertLetters.
type letterRows struct {
	delivery                                               []*int64
	destination, route, kind, source, company, integration []string
	model, platformID, eventID, errorKind, code, message   []string
	seq, version                                           []int64
	index, attempts                                        []int32
}

const insertLetters = `INSERT INTO dead_letters (delivery_id, destination, route, kind, source, company_id, integration, model,
		platform_id, event_seq, event_id, idx, version, error_kind, code, message, attempts, created_at, state)
	SELECT g.*, $18, 'open' FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
		$9::text[], $10::bigint[], $11::text[], $12::int[], $13::bigint[], $14::text[], $15::text[], $16::text[], $17::int[]) AS g`

func (l *letterRows) add(r letterRow) {
	var delivery *int64
	if r.delivery != 0 {
		delivery = &r.delivery
	}
	l.delivery = append(l.delivery, delivery)
	for _, v := range []struct {
		to    *[]string
		value string
	}{
		{&l.destination, r.Destination}, {&l.route, r.Route}, {&l.kind, string(r.Kind)}, {&l.source, r.head.source},
		{&l.company, r.head.companyID}, {&l.integration, r.head.integration}, {&l.model, r.model}, {&l.platformID, r.Key.PlatformID},
		{&l.eventID, r.EventID}, {&l.errorKind, r.ErrorKind}, {&l.code, r.Code}, {&l.message, r.Message},
	} {
		*v.to = append(*v.to, text(v.value))
	}
	l.seq, l.version = append(l.seq, r.EventSeq), append(l.version, r.Version)
	l.index, l.attempts = append(l.index, int32(r.Index)), append(l.attempts, int32(r.Attempts))
}

func (l *letterRows) parameters(now time.Time) []any {
	return []any{
		l.delivery, l.destination, l.route, l.kind, l.source, l.company, l.integration, l.model,
		l.platformID, l.seq, l.eventID, l.index, l.version, l.errorKind, l.code, l.message, l.attempts, now,
	}
}
