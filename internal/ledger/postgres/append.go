package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Append implements [ledger.Appender].
func (l *Ledger) Append(ctx context.Context, ev event.Event) (ledger.Appended, error) {
	if ev.ReceivedAt.IsZero() {
		ev.ReceivedAt = l.now()
	}
	p := &pending{ev: ev}
	if err := l.writer.append(ctx, p); err != nil {
		return ledger.Appended{}, explain(err, "append event")
	}
	return p.out, nil
}

// identity is what marks a duplicate.
type identity struct{ source, id string }

func compareIdentities(a, b identity) int {
	return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.id, b.id))
}

// appendGroup stores the events in one transaction and says of each what became
// of it.
//
// Invariant 1: acknowledged means durable.
func (l *Ledger) appendGroup(ctx context.Context, c *pgx.Conn, all []*pending) error {
	return transact(ctx, c, func(ctx context.Context, t *tx) error {
		latest, err := l.latestHashed(ctx, t, all)
		if err != nil {
			return err
		}
		first := make(map[identity]*pending, len(all))
		for _, p := range all {
			p.out = ledger.Appended{}
			if l.choose(p, latest) {
				continue
			}
			if k := (identity{text(p.ev.Source), p.id}); first[k] == nil {
				first[k] = p
			}
		}
		seqs, err := l.insert(ctx, t, first)
		if err != nil {
			return err
		}
		return l.conclude(ctx, c, all, first, seqs)
	})
}

// hashed is the newest event whose id comes from the same body.
type hashed struct {
	seq      int64
	id       string
	received time.Time
	taken    bool // the id that the next one would get is in use
}

// latestHashed keeps others from appending the same bodies until the commit and
// returns what is stored of them.
func (l *Ledger) latestHashed(ctx context.Context, t *tx, all []*pending) (map[identity]*hashed, error) {
	out := make(map[identity]*hashed)
	for _, p := range all {
		if p.ev.HashedID {
			out[identity{text(p.ev.Source), text(p.ev.ID)}] = nil
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	var locks []int64
	var sources, ids, next []string
	for _, p := range all {
		if p.ev.HashedID {
			k := identity{text(p.ev.Source), text(p.ev.ID)}
			locks = append(locks, lockNumber("hash", k.source, k.id))
			sources, ids, next = append(sources, k.source), append(ids, k.id), append(next, suffixed(p))
		}
	}
	slices.Sort(locks)
	b := t.batch()
	b.Queue(`SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) k`, slices.Compact(locks))
	// A statement of its own: it sees what was committed before the lock was had.
	// Only a clock that was set back finds an id with a time taken.
	b.Queue(`SELECT g.source, g.hash, e.seq, e.event_id, e.received_at,
			EXISTS (SELECT 1 FROM events t WHERE t.source = g.source AND t.event_id = g.next)
		FROM unnest($1::text[], $2::text[], $3::text[]) AS g(source, hash, next)
		CROSS JOIN LATERAL (SELECT seq, event_id, received_at FROM events
			WHERE source = g.source AND hash = g.hash ORDER BY seq DESC LIMIT 1) e`, sources, ids, next).
		Query(func(rows pgx.Rows) error {
			var k identity
			var h hashed
			_, err := pgx.ForEachRow(rows, []any{&k.source, &k.id, &h.seq, &h.id, &h.received, &h.taken}, func() error {
				h.taken = h.taken || out[k] != nil && out[k].taken
				stored := h
				out[k] = &stored
				return nil
			})
			return err
		})
	return out, t.send(ctx, b)
}

// choose sets the id under which the event is to be stored. It returns true for
// one that is a duplicate of what is stored.
//
// For an id that comes from the body the window decides: an equal body is a
// duplicate only of one that came shortly before it.
func (l *Ledger) choose(p *pending, latest map[identity]*hashed) (duplicate bool) {
	p.id = text(p.ev.ID)
	if !p.ev.HashedID {
		return false
	}
	k := identity{text(p.ev.Source), p.id}
	switch h := latest[k]; {
	case h == nil:
	case p.ev.ReceivedAt.Sub(h.received).Abs() <= l.window:
		p.id = h.id
		if h.seq != 0 {
			p.out = ledger.Appended{Seq: h.seq, EventID: h.id, Duplicate: true}
			return true
		}
		return false // of one in the same group
	case h.taken:
		p.id = suffixed(p) + "-" + rand.Text()[:8]
	default:
		p.id = suffixed(p)
	}
	latest[k] = &hashed{id: p.id, received: p.ev.ReceivedAt}
	return false
}

// suffixed is the id of an event whose body was stored before.
func suffixed(p *pending) string {
	return fmt.Sprintf("%s-%d", text(p.ev.ID), p.ev.ReceivedAt.UnixMilli())
}

// insert stores the events that are not there yet, commits, and returns the
// sequence numbers of those that are new.
func (l *Ledger) insert(ctx context.Context, t *tx, first map[identity]*pending) (map[identity]int64, error) {
	seqs := make(map[identity]int64, len(first))
	b := t.batch()
	b.Queue(insertEvents, eventParameters(first)...).Query(func(rows pgx.Rows) error {
		var k identity
		var seq int64
		_, err := pgx.ForEachRow(rows, []any{&seq, &k.source, &k.id}, func() error {
			seqs[k] = seq
			return nil
		})
		return err
	})
	return seqs, t.commit(ctx, b)
}

// conclude answers for the whole group: who brought an event first has stored
// it, all others brought a duplicate.
func (l *Ledger) conclude(ctx context.Context, c *pgx.Conn, all []*pending, first map[identity]*pending, seqs map[identity]int64) error {
	var missing []identity
	for k := range first {
		if seqs[k] == 0 {
			missing = append(missing, k)
		}
	}
	old, err := storedSeqs(ctx, c, missing)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.out.Seq != 0 {
			continue
		}
		k := identity{text(p.ev.Source), p.id}
		p.out = ledger.Appended{Seq: seqs[k], EventID: p.id, Duplicate: first[k] != p}
		if p.out.Seq == 0 {
			p.out.Seq, p.out.Duplicate = old[k], true
		}
		if p.out.Seq == 0 {
			return errNeither
		}
	}
	return nil
}

func storedSeqs(ctx context.Context, c *pgx.Conn, keys []identity) (map[identity]int64, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	sources, ids := make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		sources[i], ids[i] = k.source, k.id
	}
	out := make(map[identity]int64, len(keys))
	rows, err := c.Query(ctx, `SELECT e.seq, e.source, e.event_id FROM unnest($1::text[], $2::text[]) AS g(source, id)
		JOIN events e ON e.source = g.source AND e.event_id = g.id`, sources, ids)
	if err != nil {
		return nil, err
	}
	var k identity
	var seq int64
	_, err = pgx.ForEachRow(rows, []any{&seq, &k.source, &k.id}, func() error {
		out[k] = seq
		return nil
	})
	return out, err
}

const insertEvents = `WITH stored AS (
	INSERT INTO events (source, event_id, hash, kind, format, created_at, received_at,
		company_id, integration, model, operation, sync_id, job_id, status, sync_type, records, body)
	SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
		$8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::int[], $17::bytea[])
	ON CONFLICT (source, event_id) DO NOTHING
	RETURNING seq, source, event_id
), arrived AS (
	INSERT INTO arrivals (n, seqs) SELECT count(*), array_agg(seq ORDER BY seq) FROM stored HAVING count(*) > 0
)
SELECT seq, source, event_id FROM stored`

// eventParameters are those of insertEvents. They are by identity, an order that
// all instances share: two that insert the same events wait for each other in
// one direction only.
func eventParameters(events map[identity]*pending) []any {
	keys := slices.SortedFunc(maps.Keys(events), compareIdentities)
	n := len(keys)
	var (
		source, id, kind, format, company, integration, model = make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		operation, syncID, jobID, status, syncType            = make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		hash                                                  = make([]*string, n)
		created                                               = make([]*time.Time, n)
		received                                              = make([]time.Time, n)
		records                                               = make([]int32, n)
		body                                                  = make([][]byte, n)
	)
	for i, k := range keys {
		p := events[k]
		e := &p.ev
		source[i], id[i], kind[i], format[i] = k.source, p.id, text(string(e.Kind)), text(e.Format)
		company[i], integration[i], model[i] = text(e.CompanyID), text(e.Integration), text(e.Model)
		operation[i], syncID[i], jobID[i] = text(string(e.Operation)), text(e.SyncID), text(e.JobID)
		status[i], syncType[i] = text(e.Status), text(e.SyncType)
		if e.HashedID {
			h := text(e.ID)
			hash[i] = &h
		}
		created[i], received[i], records[i], body[i] = nullable(e.CreatedAt), e.ReceivedAt.UTC(), int32(e.Records), e.Body
		if body[i] == nil {
			body[i] = []byte{}
		}
	}
	return []any{
		source, id, hash, kind, format, created, received, company, integration, model,
		operation, syncID, jobID, status, syncType, records, body,
	}
}
