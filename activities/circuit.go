package activities

import (
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

// circuitCalls is how many calls in a row must fail before a destination counts
// as down.
const circuitCalls = 5

// circuits tell a destination that is down from a record that breaks its calls.
// Each instance judges by its own calls; the pause that follows is in the ledger
// and holds for all.
type circuits struct {
	mu     sync.Mutex
	byName map[string]*circuit
}

// circuit is what is known of the calls since the last one that got through.
type circuit struct {
	failed int
	common map[int64]struct{} // deliveries that were in every one of them
}

// opening is what a failed call means.
type opening int

const (
	stayClosed opening = iota
	openNow            // the destination is down
	openIfSo           // one delivery was in every call: the destination's own check decides
)

// through says that a call brought something to the destination.
func (c *circuits) through(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byName, name)
}

// failed says that a call with these deliveries brought nothing. shared is set
// when the destination answered for several of them: then it is no single one's
// doing.
func (c *circuits) failed(name string, deliveries []int64, shared bool) opening {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.byName[name]
	if got == nil {
		if c.byName == nil {
			c.byName = make(map[string]*circuit)
		}
		got = &circuit{common: make(map[int64]struct{}, len(deliveries))}
		c.byName[name] = got
		for _, id := range deliveries {
			got.common[id] = struct{}{}
		}
	}
	got.failed++
	if shared {
		clear(got.common)
	}
	in := make(map[int64]struct{}, len(deliveries))
	for _, id := range deliveries {
		in[id] = struct{}{}
	}
	for id := range got.common {
		if _, ok := in[id]; !ok {
			delete(got.common, id)
		}
	}
	switch {
	case got.failed < circuitCalls:
		return stayClosed
	case len(got.common) == 0:
		delete(c.byName, name)
		return openNow
	case got.failed%circuitCalls == 0:
		return openIfSo
	default:
		return stayClosed
	}
}

// probeWait is how long a destination that is down is left alone: as long as it
// has been down, within the bounds of its retries.
func (d Destination) probeWait(down time.Duration) time.Duration {
	return max(min(down, d.MaxInterval), d.InitialInterval)
}

// ProbeWait is the wait after a probe that failed.
func (p Prober) ProbeWait(of ledger.Pause, now time.Time) time.Duration {
	down := now.Sub(of.Since)
	if of.Reason == ledger.PauseMisconfigured {
		return max(min(down, refusedMost), refusedFirst)
	}
	return p.a.settings().Destinations[of.Destination].probeWait(down)
}

// The waits between probes of a destination that refused credentials or
// settings: somebody has to change them, and some services lock accounts that
// keep trying.
const (
	refusedFirst = 15 * time.Second
	refusedMost  = 5 * time.Minute
)
