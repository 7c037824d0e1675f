package activities

import (
	"sync"
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
