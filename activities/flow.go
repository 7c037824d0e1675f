package activities

import (
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

// flows holds what attempts for the same destination share in this process.
type flows struct {
	mu     *sync.Mutex
	byName map[string]*flow
}

func newFlows() flows { return flows{mu: new(sync.Mutex), byName: make(map[string]*flow)} }

func (f flows) get(destination string) *flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	got, ok := f.byName[destination]
	if !ok {
		got = &flow{changed: make(chan struct{})}
		f.byName[destination] = got
	}
	return got
}

// flow lets attempts whose deliveries another attempt has claimed wait for it.
type flow struct {
	mu      sync.Mutex
	changed chan struct{}
	gathers time.Time // nothing is claimed before, so that the write is fuller; zero if nothing waits
}

// settled returns a channel that is closed when a claim is settled next.
func (f *flow) settled() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *flow) signal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

// gathering returns until when deliveries gather, and whether they may be claimed.
func (f *flow) gathering(d Destination) (until time.Time, over bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gathers, d.BatchWait <= 0 || !f.gathers.IsZero() && !time.Now().Before(f.gathers)
}

// gather is for an attempt that may not claim yet: the first that has something to
// deliver lets others gather from now on. It returns until when.
func (f *flow) gather(d Destination, look ledger.Claim) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gathers.IsZero() && ready(look) {
		f.gathers = time.Now().Add(d.BatchWait)
	}
	return f.gathers
}

// gathered notes a claim. After one that found fewer than a write takes, the next
// deliveries gather. What is left of the claim's own batch shows that its bytes
// ended it. Suspects are claimed in small groups on purpose.
func (f *flow) gathered(d Destination, claim ledger.Claim) {
	if n := len(claim.Items); n >= d.MaxBatchRecords || n > 0 && (ready(claim) || claim.Items[0].Suspect > 0) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gathers = time.Time{}
}

// ready reports whether more of the claim's own batch could be claimed.
func ready(c ledger.Claim) bool { return c.OwnLeft > c.OwnLeased && c.NextDue.IsZero() }
