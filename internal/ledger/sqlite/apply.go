package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Apply implements [ledger.Batches].
func (l *Ledger) Apply(ctx context.Context, in ledger.Application) (ledger.Applied, error) {
	heads, err := l.heads(ctx, unkeyedSeqs(in.Unkeyed))
	if err != nil {
		return ledger.Applied{}, explain(err, "apply batch %d", in.Batch)
	}
	var a *application
	err = l.state.write(ctx, func(c *conn) error {
		a = &application{Application: in, l: l, conn: c, now: l.now().UnixMicro(), heads: heads}
		return a.run()
	})
	if err != nil {
		return ledger.Applied{}, explain(err, "apply batch %d", in.Batch)
	}
	l.leases.moved(a.moved, in.Batch)
	out := ledger.Applied{Changed: a.changed, Unchanged: a.unchanged, Unrouted: a.unrouted, ByModel: make(map[string]ledger.ModelCount, len(a.tally.merged))}
	for model, n := range a.tally.merged {
		out.ByModel[model] = *n
	}
	return out, nil
}

// application is one run of Apply inside its transaction.
type application struct {
	ledger.Application
	l     *Ledger
	conn  *conn
	now   int64
	heads map[int64]eventHead
	tally tally

	revision  int64
	counted   event.Stamp // changes up to here were counted before
	changed   int
	unchanged int
	unrouted  int
	moved     []movedDelivery
}

// movedDelivery is a delivery that another batch booked before.
type movedDelivery struct {
	destination string
	id          int64
}

func (a *application) run() error {
	applied := false
	_, err := a.conn.one(context.Background(), `SELECT applied, counted_seq, counted_index FROM batches WHERE id = ?`,
		func(r row) { applied, a.counted.Seq, a.counted.Index = r.int(0) != 0, r.int(1), r.int(2) }, a.Batch)
	if err != nil {
		return err
	}
	keys, changes := groupByKey(a.Changes)
	if applied {
		// All of it is in the records and booked.
		a.unchanged = len(keys)
		return nil
	}
	if a.revision, err = a.l.ids.name(a.conn, a.Revision); err != nil {
		return err
	}
	for _, key := range keys {
		if err := a.merge(key, changes[key]); err != nil {
			return err
		}
	}
	for _, w := range a.Appends {
		if err := a.bookAppend(w); err != nil {
			return err
		}
	}
	for _, u := range a.Unkeyed {
		if err := a.bury(u); err != nil {
			return err
		}
	}
	if err := a.noteUnrouted(); err != nil {
		return err
	}
	if err := a.tally.flush(a.conn); err != nil {
		return err
	}
	return a.finish()
}

// groupByKey keeps the order in which keys appear: the result must not depend
// on the order of a map.
func groupByKey(all []event.Change) ([]event.RecordKey, map[event.RecordKey][]event.Change) {
	keys := make([]event.RecordKey, 0, len(all))
	changes := make(map[event.RecordKey][]event.Change, len(all))
	for _, c := range all {
		if _, ok := changes[c.Key]; !ok {
			keys = append(keys, c.Key)
		}
		changes[c.Key] = append(changes[c.Key], c)
	}
	return keys, changes
}

// merge takes the changes into their record and, if that is a new version,
// books its deliveries.
func (a *application) merge(key event.RecordKey, changes []event.Change) error {
	scope, err := a.l.ids.scope(a.conn, key)
	if err != nil {
		return err
	}
	rec := event.Record{Key: key}
	var id int64
	var old []byte
	if _, err := a.conn.one(context.Background(), `SELECT id, version, state FROM records WHERE scope = ? AND platform_id = ?`,
		func(r row) { id, rec.Version, old = r.int(0), r.int(1), r.blob(2) }, scope, key.PlatformID); err != nil {
		return err
	}
	if id != 0 {
		if err := rec.DecodeState(old); err != nil {
			return fmt.Errorf("record %d: %w", id, err)
		}
	}
	before := a.before(&rec)
	changed := rec.Merge(changes...)
	a.count(key.Model, changes, changed)
	state, err := rec.EncodeState()
	if err != nil {
		return fmt.Errorf("record %d: encode: %w", id, err)
	}
	isNew := id == 0
	switch {
	case isNew:
		id, err = a.conn.insert(`INSERT INTO records (scope, platform_id, version, deleted, updated_at, state) VALUES (?, ?, ?, ?, ?, ?)`,
			scope, key.PlatformID, rec.Version, rec.Deleted(), a.now, state)
	case changed:
		_, err = a.conn.exec(`UPDATE records SET version = ?, deleted = ?, updated_at = ?, state = ? WHERE id = ?`,
			rec.Version, rec.Deleted(), a.now, state, id)
	case !bytes.Equal(state, old):
		_, err = a.conn.exec(`UPDATE records SET state = ? WHERE id = ?`, state, id)
	}
	if err != nil || !changed || a.Route == nil {
		return err
	}
	for _, w := range a.Route(ledger.Merged{Record: &rec, Before: before, Changes: changes}) {
		if err := a.bookRecord(w, key.Model, id, rec.Version, isNew); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) count(model string, changes []event.Change, changed bool) {
	if changed {
		a.changed++
	} else {
		a.unchanged++
	}
	fresh := 0
	for _, c := range changes {
		if after(c.Stamp, a.counted) {
			fresh++
		}
	}
	if fresh == 0 {
		return
	}
	n := a.tally.model(model)
	n.Changes += int64(fresh)
	if changed {
		n.Changed++
	} else {
		n.Unchanged++
	}
}

// after compares positions in the ledger, not moments.
func after(s, t event.Stamp) bool {
	return s.Seq > t.Seq || s.Seq == t.Seq && s.Index > t.Index
}

// bookRecord wishes the record at the destination. It supersedes an older wish,
// given up or not; a write that is on its way settles at its own version.
func (a *application) bookRecord(w ledger.Want, model string, record, version int64, isNew bool) error {
	k, route, err := a.resolve(w, model)
	if err != nil {
		return err
	}
	var id, batch int64
	var state int
	if !isNew {
		if _, err := a.conn.one(context.Background(), `SELECT id, batch, state FROM deliveries WHERE record_id = ? AND destination = ?`,
			func(r row) { id, batch, state = r.int(0), r.int(1), int(r.int(2)) }, record, k.destination); err != nil {
			return err
		}
	}
	if id == 0 {
		_, err = a.conn.exec(`INSERT INTO deliveries (destination, model, route, revision, record_id, batch, state, wanted, since)
			VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)`, k.destination, k.model, route, a.revision, record, a.Batch, version, a.now)
	} else {
		a.tally.leave(k, batch, state)
		if batch != a.Batch {
			a.moved = append(a.moved, movedDelivery{w.Destination, id})
		}
		since := any(a.now)
		if state == waiting {
			since = nil
		}
		_, err = a.conn.exec(`UPDATE deliveries SET route = ?, revision = ?, batch = ?, state = 0, wanted = ?, due = 0,
			since = coalesce(?, since), attempts = 0, suspect = 0, first_fail = NULL, blocked = NULL WHERE id = ?`,
			route, a.revision, a.Batch, version, since, id)
	}
	a.tally.come(k, a.Batch, waiting)
	return err
}

// bookAppend books a change or an event, once.
func (a *application) bookAppend(w ledger.AppendWant) error {
	k, route, err := a.resolve(w.Want, w.Model)
	if err != nil {
		return err
	}
	n, err := a.conn.exec(`INSERT INTO deliveries (destination, model, route, revision, event_seq, idx, batch, state, wanted, since)
		VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?) ON CONFLICT (event_seq, idx, destination) WHERE event_seq IS NOT NULL DO NOTHING`,
		k.destination, k.model, route, a.revision, w.Seq, max(w.Index, -1), a.Batch, w.Seq, a.now)
	if err != nil {
		return err
	}
	if n == 1 {
		a.tally.come(k, a.Batch, waiting)
	}
	return nil
}

// bury makes a dead letter of a change that has no key, once.
func (a *application) bury(u ledger.Unkeyed) error {
	k, _, err := a.resolve(u.Want, u.Model)
	if err != nil {
		return err
	}
	h := a.heads[u.Seq]
	n, err := a.conn.exec(insertDeadLetter+` ON CONFLICT (event_seq, idx, destination) WHERE delivery_id IS NULL DO NOTHING`,
		nil, u.Destination, u.Route, string(ledger.DeliverChange), h.source, h.companyID, h.integration, u.Model, "",
		u.Seq, h.id, u.Index, 0, errorUnkeyed, "", u.Reason, 0, a.now, letterOpen)
	if err != nil {
		return err
	}
	if n == 1 {
		a.tally.come(k, a.Batch, dead)
	}
	return nil
}

func (a *application) resolve(w ledger.Want, model string) (k modelKey, route int64, err error) {
	if k.destination, err = a.l.ids.name(a.conn, w.Destination); err != nil {
		return k, 0, err
	}
	if k.model, err = a.l.ids.name(a.conn, model); err != nil {
		return k, 0, err
	}
	route, err = a.l.ids.name(a.conn, w.Route)
	return k, route, err
}

// finish writes down how far the batch is applied and counted.
func (a *application) finish() error {
	counted := a.counted
	for _, c := range a.Changes {
		if after(c.Stamp, counted) {
			counted = c.Stamp
		}
	}
	if !a.Final && counted == a.counted {
		return nil
	}
	_, err := a.conn.exec(`INSERT INTO batches (id, applied, counted_seq, counted_index, revision) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET applied = max(applied, excluded.applied),
			counted_seq = excluded.counted_seq, counted_index = excluded.counted_index, revision = excluded.revision`,
		a.Batch, a.Final, counted.Seq, counted.Index, a.revision)
	return err
}

func unkeyedSeqs(in []ledger.Unkeyed) []int64 {
	var seqs []int64
	for _, u := range in {
		seqs = append(seqs, u.Seq)
	}
	slices.Sort(seqs)
	return slices.Compact(seqs)
}
