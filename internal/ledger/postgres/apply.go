package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Apply implements [ledger.Batches]. Its transaction locks the batch, then the
// records in the order of their numbers, then their deliveries, so that two of
// them wait for each other in one direction only. It takes three round trips,
// however many changes there are.
func (l *Ledger) Apply(ctx context.Context, in ledger.Application) (ledger.Applied, error) {
	out, err := l.apply(ctx, in)
	return out, explain(err, "apply batch %d", in.Batch)
}

func (l *Ledger) apply(ctx context.Context, in ledger.Application) (ledger.Applied, error) {
	keys, changes := groupByKey(in.Changes)
	scopes, err := l.scopeNumbers(ctx, keys)
	if err != nil {
		return ledger.Applied{}, err
	}
	for {
		a := &application{Application: in, l: l, keys: keys, changes: changes, scopes: scopes}
		err = l.write(ctx, a.run)
		if errors.Is(err, errAppeared) {
			continue // it is found now
		}
		if err != nil {
			return ledger.Applied{}, err
		}
		l.names.remember(a.booking.fresh)
		out := ledger.Applied{Changed: a.changed, Unchanged: a.unchanged, Unrouted: a.unrouted, ByModel: make(map[string]ledger.ModelCount, len(a.tally.merged))}
		for model, n := range a.tally.merged {
			out.ByModel[model] = *n
		}
		return out, nil
	}
}

// groupByKey keeps the order in which keys appear: the result must not depend
// on the order of a map.
func groupByKey(all []event.Change) ([]event.RecordKey, map[event.RecordKey][]event.Change) {
	keys := make([]event.RecordKey, 0, len(all))
	changes := make(map[event.RecordKey][]event.Change, len(all))
	for _, c := range all {
		c.Key = stored(c.Key)
		if _, ok := changes[c.Key]; !ok {
			keys = append(keys, c.Key)
		}
		changes[c.Key] = append(changes[c.Key], c)
	}
	return keys, changes
}

// application is one attempt of Apply.
type application struct {
	ledger.Application
	l       *Ledger
	keys    []event.RecordKey
	changes map[event.RecordKey][]event.Change
	scopes  map[event.RecordKey]int64

	found   bool        // the batch is there
	applied bool        // all of it, before
	counted event.Stamp // changes up to here were counted before
	now     time.Time
	heads   map[int64]eventHead

	records   []*merged // in the order of keys
	booking   booking
	tally     tally
	changed   int
	unchanged int
	unrouted  int
}

// merged is a record of the application.
type merged struct {
	event.Record
	id      int64
	scope   int64
	before  *event.Record // if somebody asks for it
	old     []byte
	state   []byte
	isNew   bool
	changed bool
}

// run is the transaction; write may make it again.
func (a *application) run(ctx context.Context, t *tx) error {
	*a = application{Application: a.Application, l: a.l, keys: a.keys, changes: a.changes, scopes: a.scopes}
	b := t.batch()
	a.read(b)
	if err := t.send(ctx, b); err != nil {
		return err
	}
	if !a.found {
		return errNotFound
	}
	if a.applied {
		// All of it is in the records and booked.
		a.unchanged = len(a.keys)
		return t.commit(ctx, t.batch())
	}
	if err := a.merge(); err != nil {
		return err
	}
	if err := a.store(ctx, t); err != nil {
		return err
	}
	if err := a.book(ctx, t); err != nil {
		return err
	}
	last := t.batch()
	a.tally.flush(last)
	a.noteUnrouted(last)
	a.finish(last)
	return t.commit(ctx, last)
}

// read locks the batch and the records that are there.
func (a *application) read(b *pgx.Batch) {
	one(b, func(r pgx.Row) error {
		a.found = true
		return r.Scan(&a.applied, &a.counted.Seq, &a.counted.Index, &a.now)
	}, `SELECT applied OR first_seq = 0, counted_seq, counted_index, `+dbNow("$2")+` FROM batches WHERE id = $1 FOR UPDATE`, a.Batch, a.l.clock())
	if seqs := unkeyedSeqs(a.Unkeyed); len(seqs) > 0 {
		queueHeads(b, &a.heads, seqs)
	}
	at := make(map[place]*merged, len(a.keys))
	scopes, ids := make([]int64, len(a.keys)), make([]string, len(a.keys))
	for i, key := range a.keys {
		m := &merged{Record: event.Record{Key: key}, scope: a.scopes[scope(key)], isNew: true}
		a.records = append(a.records, m)
		scopes[i], ids[i] = m.scope, m.Key.PlatformID
		at[m.place()] = m
	}
	if len(a.keys) == 0 {
		return
	}
	b.Queue(`SELECT r.id, r.scope, r.platform_id, r.version, r.state FROM records r
		JOIN unnest($1::bigint[], $2::text[]) AS g(scope, platform_id) USING (scope, platform_id)
		ORDER BY r.id FOR UPDATE OF r`, scopes, ids).Query(func(rows pgx.Rows) error {
		var p place
		var id, version int64
		var state []byte
		_, err := pgx.ForEachRow(rows, []any{&id, &p.scope, &p.platform, &version, &state}, func() error {
			m := at[p]
			m.id, m.Version, m.old, m.isNew = id, version, bytes.Clone(state), false
			return nil
		})
		return err
	})
}

// place is where a record is stored.
type place struct {
	scope    int64
	platform string
}

func (m *merged) place() place { return place{m.scope, m.Key.PlatformID} }

func (a *application) merge() error {
	for _, m := range a.records {
		if !m.isNew {
			if err := m.DecodeState(m.old); err != nil {
				return fmt.Errorf("record %d: %w", m.id, err)
			}
		}
		changes := a.changes[m.Key]
		if a.Before {
			before := m.Record
			before.Fields = maps.Clone(m.Fields)
			m.before = &before
		}
		m.changed = m.Merge(changes...)
		a.count(m.Key.Model, changes, m.changed)
		var err error
		if m.state, err = m.EncodeState(); err != nil {
			return fmt.Errorf("record %d: encode: %w", m.id, err)
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

// errAppeared makes an application begin again: a record that was not there was
// inserted by another one meanwhile.
var errAppeared = errors.New("a record appeared")

// store writes the records. New ones are inserted in an order that all
// instances share.
func (a *application) store(ctx context.Context, t *tx) error {
	var ids []int64
	var versions []int64
	var deleted, touched []bool
	var states [][]byte
	var inserts []*merged
	for _, m := range a.records {
		switch {
		case m.isNew:
			inserts = append(inserts, m)
		case m.changed || !bytes.Equal(m.state, m.old):
			ids, versions, states = append(ids, m.id), append(versions, m.Version), append(states, m.state)
			deleted, touched = append(deleted, m.Deleted()), append(touched, m.changed)
		}
	}
	if len(ids)+len(inserts) == 0 {
		return nil
	}
	b := t.batch()
	if len(ids) > 0 {
		b.Queue(`UPDATE records r SET version = g.version, deleted = g.deleted, state = g.state,
				updated_at = CASE WHEN g.touched THEN $6 ELSE r.updated_at END
			FROM unnest($1::bigint[], $2::bigint[], $3::bool[], $4::bool[], $5::bytea[]) AS g(id, version, deleted, touched, state)
			WHERE r.id = g.id`, ids, versions, deleted, touched, states, a.now)
	}
	a.insert(b, inserts)
	if err := t.send(ctx, b); err != nil {
		return err
	}
	for _, m := range inserts {
		if m.id == 0 {
			return errAppeared
		}
	}
	return nil
}

func (a *application) insert(b *pgx.Batch, inserts []*merged) {
	if len(inserts) == 0 {
		return
	}
	slices.SortFunc(inserts, func(a, b *merged) int {
		return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(a.Key.PlatformID, b.Key.PlatformID))
	})
	at := make(map[place]*merged, len(inserts))
	var scopes, versions []int64
	var platforms []string
	var deleted []bool
	var states [][]byte
	for _, m := range inserts {
		at[m.place()] = m
		scopes, platforms, versions = append(scopes, m.scope), append(platforms, m.Key.PlatformID), append(versions, m.Version)
		deleted, states = append(deleted, m.Deleted()), append(states, m.state)
	}
	b.Queue(`INSERT INTO records (scope, platform_id, version, deleted, updated_at, state)
		SELECT g.scope, g.platform_id, g.version, g.deleted, $6, g.state
		FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bool[], $5::bytea[]) AS g(scope, platform_id, version, deleted, state)
		ON CONFLICT (scope, platform_id) DO NOTHING RETURNING id, scope, platform_id`,
		scopes, platforms, versions, deleted, states, a.now).Query(func(rows pgx.Rows) error {
		var p place
		var id int64
		_, err := pgx.ForEachRow(rows, []any{&id, &p.scope, &p.platform}, func() error {
			at[p].id = id
			return nil
		})
		return err
	})
}

// finish writes down how far the batch is applied and counted.
func (a *application) finish(b *pgx.Batch) {
	counted := a.counted
	for _, c := range a.Changes {
		if after(c.Stamp, counted) {
			counted = c.Stamp
		}
	}
	if !a.Final && counted == a.counted {
		return
	}
	b.Queue(`UPDATE batches SET applied = applied OR $2, counted_seq = $3, counted_index = $4, revision = $5 WHERE id = $1`,
		a.Batch, a.Final, counted.Seq, counted.Index, a.revision())
}

func unkeyedSeqs(in []ledger.Unkeyed) []int64 {
	var seqs []int64
	for _, u := range in {
		seqs = append(seqs, u.Seq)
	}
	slices.Sort(seqs)
	return slices.Compact(seqs)
}
