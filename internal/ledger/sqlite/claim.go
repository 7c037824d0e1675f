package sqlite

import (
	"context"
	"crypto/rand"
	"math"

	"github.com/sluicehq/sluice/internal/ledger"
)

// Claim implements [ledger.Deliveries]. It writes nothing but retries that have
// become due: the leases are in memory.
func (l *Ledger) Claim(ctx context.Context, in ledger.ClaimRequest) (ledger.Claim, error) {
	c, err := l.claim(ctx, in)
	return c, explain(err, "claim for %s", in.Destination)
}

func (l *Ledger) claim(ctx context.Context, in ledger.ClaimRequest) (ledger.Claim, error) {
	in.Limit = max(in.Limit, 1)
	out := ledger.Claim{Token: ledger.ClaimToken{ID: rand.Text(), Destination: in.Destination}}
	destination, err := l.wake(ctx, in)
	if err != nil || destination == 0 {
		return out, err
	}
	t := l.leases.table(in.Destination)
	if in.Look {
		return out, l.rest(ctx, t, in, destination, nil, &out)
	}
	ids, c, err := l.choose(ctx, t, in, destination, &out)
	if err != nil {
		return ledger.Claim{}, err
	}
	if err = l.load(ctx, in, ids, &out); err == nil {
		t.keep(c, &out)
		err = l.rest(ctx, t, in, destination, c, &out)
	}
	if err != nil {
		t.mu.Lock()
		t.release(out.Token.ID)
		t.mu.Unlock()
		return ledger.Claim{}, err
	}
	return out, nil
}

// wakeAtOnce bounds how many retries become due with one claim.
const wakeAtOnce = 5000

// wake makes retries ready whose time has come, so that the search for the
// oldest batch need not step over all that wait for theirs. It returns the
// destination's number, 0 if nothing was ever booked for it.
func (l *Ledger) wake(ctx context.Context, in ledger.ClaimRequest) (destination int64, err error) {
	now := l.now().UnixMicro()
	due := false
	err = l.state.read(ctx, func(c *conn) error {
		if destination, err = l.names.id(ctx, c, in.Destination); err != nil || destination == 0 {
			return err
		}
		due, err = c.one(ctx, `SELECT 1 FROM deliveries WHERE destination = ? AND state = 0 AND due > 0 AND due <= ? LIMIT 1`,
			func(row) {}, destination, now)
		return err
	})
	if err != nil || !due {
		return destination, err
	}
	return destination, l.state.write(ctx, func(c *conn) error {
		if _, err := c.exec(`UPDATE deliveries SET due = 0 WHERE id IN (SELECT id FROM deliveries INDEXED BY deliveries_due_batch
			WHERE destination = ? AND batch = ? AND state = 0 AND due > 0 AND due <= ? ORDER BY due LIMIT ?)`,
			destination, in.Batch, now, wakeAtOnce); err != nil {
			return err
		}
		_, err := c.exec(`UPDATE deliveries SET due = 0 WHERE id IN (SELECT id FROM deliveries INDEXED BY deliveries_due
			WHERE destination = ? AND state = 0 AND due > 0 AND due <= ? ORDER BY due LIMIT ?)`,
			destination, now, wakeAtOnce)
		return err
	})
}

// candidate is a delivery that is ready.
type candidate struct{ id, batch, suspect int64 }

// choose leases what is ready and held by nobody.
//
// Invariant 3: at most one write in flight per record and destination.
func (l *Ledger) choose(ctx context.Context, t *leaseTable, in ledger.ClaimRequest, destination int64, out *ledger.Claim) ([]int64, *claim, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := l.now()
	p := picker{limit: in.Limit, trust: t.trust, budget: 4*in.Limit + 256}
	err := l.state.read(ctx, func(c *conn) error {
		take := func(cand candidate) bool {
			if t.taken(cand.id, now) {
				return true
			}
			return p.offer(cand)
		}
		// The own batch first, then those before it, then those after it.
		for _, batches := range [][2]int64{{in.Batch, in.Batch}, {0, in.Batch - 1}, {in.Batch + 1, math.MaxInt64}} {
			if err := ready(ctx, c, destination, batches[0], batches[1], take); err != nil || p.full {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	out.More = p.full
	c := t.lease(out.Token.ID, p.ids, p.batches, now, in.Lease)
	c.suspects = p.suspects
	return p.ids, c, nil
}

// ready offers what is ready in batches from first to last, oldest first, until
// take has enough.
func ready(ctx context.Context, c *conn, destination, first, last int64, take func(candidate) bool) error {
	return c.query(ctx, `SELECT id, batch, suspect FROM deliveries INDEXED BY deliveries_ready
		WHERE destination = ? AND state = 0 AND due = 0 AND batch BETWEEN ? AND ? ORDER BY batch, id`,
		func(r row) error {
			if !take(candidate{r.int(0), r.int(1), r.int(2)}) {
				return errEnough
			}
			return nil
		}, destination, first, last)
}

// mostDoubt parts any group down to one delivery.
const mostDoubt = 8

// picker chooses among candidates in their order. The first one decides: a claim
// has either only suspects or none. Suspects come in groups that get smaller
// each time a call with them is lost, down to one, so that the one that breaks
// the calls is found and the others are delivered. With every such group that is
// answered they get larger again: after an outage, in which all calls were lost,
// it is none of them. As the oldest is always served, neither kind starves the
// other.
type picker struct {
	limit        int // of the request
	trust        int // groups of suspects that were answered since one was lost
	room         int // how many may be taken, by what was taken so far
	budget       int // how many more to look at
	ids, batches []int64
	suspects     bool
	full         bool
}

// offer returns false when there is no need to look further.
func (p *picker) offer(c candidate) bool {
	if len(p.ids) == 0 {
		p.suspects, p.room = c.suspect > 0, p.limit
	}
	room := p.room
	if p.suspects {
		doubt := max(min(c.suspect, mostDoubt)-int64(p.trust), 1)
		room = min(room, max(1, p.limit>>(2*doubt)))
	}
	if p.suspects == (c.suspect > 0) && len(p.ids) < room {
		p.room = room
		p.ids = append(p.ids, c.id)
		p.batches = append(p.batches, c.batch)
	}
	p.budget--
	p.full = len(p.ids) >= p.room || p.budget <= 0
	return !p.full
}
