package postgres

import (
	"sync"
	"time"
)

// claims is what this instance remembers of its own claims: which deliveries they
// leased, so that a settlement can give back those without an outcome, and how
// far groups of suspects are trusted. The leases themselves are rows.
type claims struct {
	mu     sync.Mutex
	ids    map[string]held // by token
	trusts map[string]int  // by destination: groups of suspects that were answered since one was lost
}

type held struct {
	ids   []int64
	since time.Time
}

// forgotten is how long an unsettled claim is remembered.
const forgotten = 2 * time.Hour

func (c *claims) add(token string, ids []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.ids == nil {
		c.ids = make(map[string]held)
	}
	if len(c.ids) > 10_000 {
		for t, h := range c.ids {
			if now.Sub(h.since) > forgotten {
				delete(c.ids, t)
			}
		}
	}
	c.ids[token] = held{ids, now}
}

func (c *claims) get(token string) []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[token].ids
}

func (c *claims) remove(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ids, token)
}

func (c *claims) trust(destination string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trusts[destination]
}

// answered books the fate of a claim's call.
func (c *claims) answered(destination string, suspects, lost bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trusts == nil {
		c.trusts = make(map[string]int)
	}
	switch {
	case lost:
		c.trusts[destination] = 0
	case suspects:
		c.trusts[destination] = min(c.trusts[destination]+1, mostDoubt)
	}
}
