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
	since   time.Time // the first delivery waits for others; zero if none does
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

// end is when deliveries have gathered. The setting may have changed since.
func (f *flow) end(d Destination) time.Time { return f.since.Add(d.BatchWait) }

// gathered reports whether deliveries may be claimed.
func (f *flow) gathered(d Destination) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return d.BatchWait <= 0 || !f.since.IsZero() && !time.Now().Before(f.end(d))
}

// gather is for an attempt that may not claim yet: the first that has something to
// deliver lets others gather from now on. It returns until when.
func (f *flow) gather(d Destination, look ledger.Claim) (until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since.IsZero() {
		if look.OwnLeft <= look.OwnLeased || !look.NextDue.IsZero() {
			return look.NextDue
		}
		f.since = time.Now()
	}
	return f.end(d)
}

// claimed lets deliveries gather anew after a claim that left nothing. Suspects are
// claimed in small groups, and should not have to wait for each of them.
func (f *flow) claimed(d Destination, claim ledger.Claim) {
	if claim.More || len(claim.Items) > 0 && claim.Items[0].Suspect > 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !time.Now().Before(f.end(d)) { // else it is of later ones
		f.since = time.Time{}
	}
}
