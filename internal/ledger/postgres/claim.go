package postgres

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
)

// Claim implements [ledger.Deliveries]. What it leases is committed before it
// returns; nothing is locked or open then.
func (l *Ledger) Claim(ctx context.Context, in ledger.ClaimRequest) (ledger.Claim, error) {
	out, err := l.claim(ctx, in)
	if err != nil {
		return ledger.Claim{}, explain(err, "claim for %s", in.Destination)
	}
	return out, nil
}

func (l *Ledger) claim(ctx context.Context, in ledger.ClaimRequest) (ledger.Claim, error) {
	in.Limit = max(in.Limit, 1)
	out := ledger.Claim{Token: ledger.ClaimToken{ID: rand.Text(), Destination: in.Destination}}
	destination, err := l.number(ctx, in.Destination)
	if err != nil || destination == 0 {
		return out, err
	}
	c := &claiming{l: l, in: in, destination: destination, out: &out}
	if err := c.look(ctx); err != nil {
		return out, err
	}
	if c.first != nil && !in.Look {
		// Once leases may be committed, the claim is finished or given back.
		ctx := context.WithoutCancel(ctx)
		err := c.take(ctx)
		if err == nil {
			err = c.load(ctx)
		}
		if err != nil {
			l.claims.remove(out.Token.ID)
			l.release(ctx, out.Token.ID, c.ids)
			return out, err
		}
	}
	return out, c.rest(ctx)
}

// claiming is one run of Claim.
type claiming struct {
	l           *Ledger
	in          ledger.ClaimRequest
	destination int64
	out         *ledger.Claim

	first *int // the suspicion of the one to begin with; nil: there is none
	ids   []int64
	rows  []claimed
	at    moments
	pause time.Duration // how long the destination was paused so far
}

// wakeAtOnce bounds how many retries become due with one claim.
const wakeAtOnce = 5000

// wakeOwn and wakeAny make retries ready whose time has come, so that the search
// for the oldest batch need not step over all that wait for theirs.
var (
	wakeOwn = wake(`batch = $4 AND `)
	wakeAny = wake(``)
)

func wake(where string) string {
	return `UPDATE deliveries SET due = NULL WHERE id IN (SELECT id FROM deliveries
		WHERE destination = $1 AND ` + where + `state = 0 AND due IS NOT NULL AND due <= ` + dbNow("$2") + `
		ORDER BY due LIMIT $3 FOR UPDATE SKIP LOCKED)`
}

// free is whether nobody holds a lease on delivery d. $3 is the clock.
var free = `NOT EXISTS (SELECT 1 FROM leases l WHERE l.delivery = d.id AND l.until > ` + dbNow("$3") + `)`

// ranges are where a claim looks, in order: the own batch, those before it, those
// after it. $1 is the destination, $2 the own batch.
var ranges = []string{`d.batch = $2`, `d.batch < $2`, `d.batch > $2`}

// ready are the deliveries of a range that wait for nothing, those above
// suspicion or the others, each from an index of its own.
func ready(columns, where, suspicion string) string {
	return `SELECT ` + columns + ` FROM deliveries d WHERE d.destination = $1 AND d.state = 0 AND d.due IS NULL AND ` +
		suspicion + ` AND ` + where + ` AND ` + free + ` ORDER BY d.batch, d.id`
}

const (
	trusted   = `d.suspect = 0`
	suspected = `d.suspect > 0`
)

// firstReady finds the delivery to begin with: the oldest of the first range that
// has any.
var firstReady = func() string {
	q := ""
	for i, where := range ranges {
		for _, suspicion := range []string{trusted, suspected} {
			if q != "" {
				q += " UNION ALL "
			}
			q += `SELECT * FROM (` + ready(string(rune('1'+i))+` AS range, d.batch, d.id, d.suspect`, where, suspicion) + ` LIMIT 1) q`
		}
	}
	return `SELECT suspect FROM (` + q + `) q ORDER BY range, batch, id LIMIT 1`
}()

// look wakes what is due and finds the delivery to begin with.
func (c *claiming) look(ctx context.Context) error {
	due := false
	look := func() error {
		b := new(pgx.Batch)
		c.first = nil
		one(b, func(r pgx.Row) error { return r.Scan(&due) }, `SELECT true FROM deliveries
			WHERE destination = $1 AND state = 0 AND due IS NOT NULL AND due <= `+dbNow("$2")+` LIMIT 1`, c.destination, c.l.clock())
		one(b, func(r pgx.Row) error { return r.Scan(&c.first) }, firstReady, c.destination, c.in.Batch, c.l.clock())
		return c.l.read(ctx, b)
	}
	if err := look(); err != nil || !due {
		return err
	}
	err := c.l.write(ctx, func(ctx context.Context, t *tx) error {
		b := t.batch()
		b.Queue(wakeOwn, c.destination, c.l.clock(), wakeAtOnce, c.in.Batch)
		b.Queue(wakeAny, c.destination, c.l.clock(), wakeAtOnce)
		return t.commit(ctx, b)
	})
	if err != nil {
		return err
	}
	return look()
}

// leaseReady leases up to $4 deliveries whose contents do not exceed $5 bytes,
// but at least one. The rows are locked while it runs: others step over them.
// Who looked before this one committed finds the lease there, which only its end
// makes free.
//
// Invariant 3: at most one write in flight per record and destination.
func leaseReady(suspicion string) string {
	q, found := "", ""
	for i, where := range ranges {
		name := string(rune('a' + i))
		limit := `$4::int`
		for j := range i {
			limit += ` - (SELECT count(*) FROM ` + string(rune('a'+j)) + `)`
		}
		q += name + ` AS MATERIALIZED (` +
			ready(`d.id, d.batch, d.suspect, d.record_id, d.event_seq, d.idx, d.wanted`, where, suspicion) +
			` LIMIT greatest(` + limit + `, 0) FOR UPDATE OF d SKIP LOCKED), `
		if i > 0 {
			found += ` UNION ALL `
		}
		found += `SELECT ` + name + `.*, ` + string(rune('1'+i)) + ` AS range FROM ` + name
	}
	return `WITH ` + q + `found AS (
		SELECT f.*, row_number() OVER (ORDER BY range, batch, id) AS at FROM (` + found + `) f
	), sized AS (
		SELECT f.*, coalesce(r.version, f.wanted) AS version,
			CASE WHEN f.record_id IS NOT NULL THEN octet_length(r.state) WHEN f.idx < 0 THEN octet_length(e.body)
				ELSE octet_length(e.body) / greatest(e.records, 1) END AS size,
			CASE WHEN e.seq IS NOT NULL AND row_number() OVER (PARTITION BY f.event_seq ORDER BY f.at) = 1
				THEN octet_length(e.body) END AS loads
		FROM found f LEFT JOIN records r ON r.id = f.record_id LEFT JOIN events e ON e.seq = f.event_seq
	), bounded AS (
		SELECT s.*, sum(coalesce(size, 0)) OVER (ORDER BY at) AS bytes, sum(coalesce(loads, 0)) OVER (ORDER BY at) AS loaded,
			min($6::int >> (2 * greatest(least(suspect, ` + mostDoubtText + `) - $7::int, 1))) OVER (ORDER BY at) AS room
		FROM sized s
	), chosen AS (
		SELECT * FROM bounded
		WHERE at = 1 OR ($5::bigint = 0 OR bytes <= $5 AND loaded <= 2 * $5) AND (suspect = 0 OR at <= room)
	), leased AS (
		INSERT INTO leases AS l (delivery, destination, batch, token, until, version)
		SELECT id, $1, batch, $8, ` + dbNow("$3") + ` + $9::interval, version FROM chosen
		ON CONFLICT (delivery) DO UPDATE SET batch = excluded.batch, token = excluded.token, until = excluded.until, version = excluded.version
			WHERE l.until <= ` + dbNow("$3") + `
		RETURNING delivery
	)
	SELECT c.id, (SELECT count(*) FROM found) > (SELECT count(*) FROM chosen)
		FROM chosen c JOIN leased ON leased.delivery = c.id ORDER BY c.at`
}

var (
	leaseTrusted   = leaseReady(trusted)
	leaseSuspected = leaseReady(suspected)
)

// A claim has either only suspects or none; the oldest delivery decides, so that
// neither kind starves the other. Suspects come in groups that get smaller each
// time a call with them is lost, down to one, so that the one that breaks the
// calls is found and the others are delivered. With every such group that is
// answered they get larger again (trust): after an outage, in which all calls
// were lost, it is none of them.
const (
	mostDoubt     = 8 // parts any group down to one delivery
	mostDoubtText = "8"
)

// chosen is a delivery that is leased, and whether a bound left others out.
type chosen struct {
	ID      int64
	Bounded bool
}

// take leases deliveries.
func (c *claiming) take(ctx context.Context) error {
	trust := c.l.claims.trust(c.in.Destination)
	q, limit := leaseTrusted, c.in.Limit
	if *c.first > 0 {
		q = leaseSuspected
		limit = max(1, c.in.Limit>>(2*max(min(*c.first, mostDoubt)-trust, 1)))
	}
	c.l.claims.add(c.out.Token.ID, nil) // before anything is leased
	var rows []chosen
	b := new(pgx.Batch)
	query(b, &rows, pgx.RowToStructByPos[chosen], q, c.destination, c.in.Batch, c.l.clock(), limit, c.in.MaxBytes,
		c.in.Limit, trust, c.out.Token.ID, c.in.Lease)
	if err := c.l.read(ctx, b); err != nil {
		return err
	}
	c.out.More = len(rows) >= limit
	for _, r := range rows {
		c.ids = append(c.ids, r.ID)
		c.out.More = c.out.More || r.Bounded
	}
	if len(c.ids) == 0 { // others were quicker; nobody settles it
		c.l.claims.remove(c.out.Token.ID)
		return nil
	}
	c.l.claims.add(c.out.Token.ID, c.ids)
	return nil
}

// release gives leases back. It is a courtesy: they end by themselves.
func (l *Ledger) release(ctx context.Context, token string, ids []int64) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := l.pool.Exec(ctx, `DELETE FROM leases WHERE delivery = ANY($1) AND token = $2`, ids, token); err != nil {
		l.log.Debug("leases were not given back and end by themselves", "err", err)
	}
}

// rest counts what else of the own batch is waiting.
func (c *claiming) rest(ctx context.Context) error {
	var waits, leased, later int
	var next *time.Time
	var now time.Time
	b := new(pgx.Batch)
	one(b, func(r pgx.Row) error { return r.Scan(&waits, &leased, &later, &next, &now) }, `SELECT
			(SELECT coalesce(sum(waiting), 0)::bigint FROM batch_counts WHERE batch = $1 AND destination = $2),
			(SELECT count(*) FROM leases l JOIN deliveries d ON d.id = l.delivery WHERE l.destination = $2 AND l.batch = $1
				AND l.token <> $4 AND l.until > n.now AND d.state = 0),
			w.later, w.next, n.now
		FROM (SELECT `+dbNow("$3")+` AS now) n, (SELECT count(*) AS later, min(due) AS next FROM deliveries
			WHERE destination = $2 AND batch = $1 AND state = 0 AND due IS NOT NULL) w`,
		c.in.Batch, c.destination, c.l.clock(), c.out.Token.ID)
	if err := c.l.read(ctx, b); err != nil {
		return err
	}
	mine := 0
	for _, d := range c.out.Items {
		if d.Batch == c.in.Batch {
			mine++
		}
	}
	c.out.OwnLeft = max(waits-mine, 0)
	c.out.OwnLeased = min(leased, c.out.OwnLeft)
	// What waits for its moment is held by nobody. If that is all there is
	// besides what others hold, the first such moment is the next.
	if free := c.out.OwnLeft - c.out.OwnLeased; free > 0 && later >= free && next != nil && next.After(now) {
		c.out.NextDue = c.l.moments(now).in(next)
	}
	return nil
}
