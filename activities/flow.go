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
	gathers time.Time // nothing is claimed before, so that the next write is fuller
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

// gathering returns until when deliveries gather; zero if they may be claimed.
func (f *flow) gathering() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().Before(f.gathers) {
		return f.gathers
	}
	return time.Time{}
}

// gather lets deliveries gather after a claim that found fewer than a write
// takes. What is left of the claim's own batch shows that its bytes ended it.
// Suspects are claimed in small groups on purpose.
func (f *flow) gather(d Destination, claim ledger.Claim) {
	ready := claim.OwnLeft > claim.OwnLeased && claim.NextDue.IsZero()
	if d.BatchWait <= 0 || len(claim.Items) >= d.MaxBatchRecords || ready || claim.Items[0].Suspect > 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gathers = time.Now().Add(d.BatchWait)
}
