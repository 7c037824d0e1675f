package sqlite

import (
	"sync"
	"time"
)

// leases are the deliveries that claims hold. They are in memory only: one
// process owns the files, and what it held is free when it is gone.
type leases struct {
	mu           sync.Mutex
	destinations map[string]*leaseTable
}

func (l *leases) table(destination string) *leaseTable {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.destinations == nil {
		l.destinations = make(map[string]*leaseTable)
	}
	t := l.destinations[destination]
	if t == nil {
		t = &leaseTable{held: make(map[int64]*lease), claims: make(map[string]*claim)}
		l.destinations[destination] = t
	}
	return t
}

// moved follows deliveries into the batch that wants them now.
func (l *leases) moved(all []movedDelivery, batch int64) {
	for _, m := range all {
		t := l.table(m.destination)
		t.mu.Lock()
		if h := t.held[m.id]; h != nil {
			h.batch = batch
		}
		t.mu.Unlock()
	}
}

// leaseTable holds the leases of one destination. A claim holds mu while it
// reads what is waiting, and a settlement ends its leases after its commit: so
// whoever does not see the lease sees the outcome. Nothing that holds mu may
// wait for the writer.
type leaseTable struct {
	mu     sync.Mutex
	held   map[int64]*lease // by delivery
	claims map[string]*claim
	trust  int // see picker
}

type lease struct {
	claim   *claim
	batch   int64
	version int64 // of the record as it was claimed
	event   int64 // sequence number, for changes and events
}

type claim struct {
	expires  time.Time
	settling bool // its outcomes are being written: it cannot expire now
	suspects bool // it has nothing else
	ids      []int64
}

// taken reports whether a claim holds the delivery.
func (t *leaseTable) taken(id int64, now time.Time) bool {
	h := t.held[id]
	return h != nil && (h.claim.settling || now.Before(h.claim.expires))
}

// lease gives the deliveries to a new claim.
func (t *leaseTable) lease(token string, ids, batches []int64, now time.Time, d time.Duration) *claim {
	t.sweep(now)
	c := &claim{expires: now.Add(d), ids: ids}
	if len(ids) > 0 {
		t.claims[token] = c
	}
	for i, id := range ids {
		t.held[id] = &lease{claim: c, batch: batches[i]}
	}
	return c
}

// forgotten is how long an expired claim may still settle what nobody else has
// claimed since.
const forgotten = time.Hour

func (t *leaseTable) sweep(now time.Time) {
	for token, c := range t.claims {
		if !c.settling && now.After(c.expires.Add(forgotten)) {
			t.release(token)
		}
	}
}

// release ends the claim and the leases that it still has.
func (t *leaseTable) release(token string) {
	c := t.claims[token]
	if c == nil {
		return
	}
	t.drop(c, c.ids)
	delete(t.claims, token)
}

func (t *leaseTable) drop(c *claim, ids []int64) {
	for _, id := range ids {
		if h := t.held[id]; h != nil && h.claim == c {
			delete(t.held, id)
		}
	}
}

// settle freezes the claim and returns the leases that it still has.
func (t *leaseTable) settle(token string) (*claim, map[int64]lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.claims[token]
	if c == nil || c.settling {
		return nil, nil
	}
	c.settling = true
	own := make(map[int64]lease, len(c.ids))
	for _, id := range c.ids {
		if h := t.held[id]; h != nil && h.claim == c {
			own[id] = *h
		}
	}
	return c, own
}

// settled ends the claim, or gives it back when its outcomes could not be stored.
func (t *leaseTable) settled(token string, c *claim, stored, lost bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.settling = false
	if !stored {
		return
	}
	t.release(token)
	switch {
	case lost:
		t.trust = 0
	case c.suspects:
		t.trust = min(t.trust+1, mostDoubt)
	}
}
