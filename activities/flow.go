package activities

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// flows holds what attempts for the same destination share in this process.
type flows struct {
	mu     *sync.Mutex
	byName map[string]*flow
}

func newFlows() flows { return flows{mu: new(sync.Mutex), byName: make(map[string]*flow)} }

func (f flows) get(destination string, perSecond float64) *flow {
	f.mu.Lock()
	defer f.mu.Unlock()
	got, ok := f.byName[destination]
	if !ok {
		got = &flow{changed: make(chan struct{}), limiter: rate.NewLimiter(rate.Inf, 1)}
		f.byName[destination] = got
	}
	limit := rate.Inf
	if perSecond > 0 {
		limit = rate.Limit(perSecond)
	}
	if got.limiter.Limit() != limit {
		got.limiter.SetLimit(limit)
	}
	return got
}

// flow lets attempts for one destination share its rate limit, and lets those
// whose deliveries another attempt has claimed wait for it.
type flow struct {
	limiter *rate.Limiter

	mu      sync.Mutex
	changed chan struct{}
}

// limit waits until one more write is within the rate, or until ctx ends. If that
// is after the deadline it does not wait, and says how long it would have to.
func (f *flow) limit(ctx context.Context, deadline time.Time) time.Duration {
	r := f.limiter.Reserve()
	delay := r.Delay()
	if delay == 0 {
		return 0
	}
	if time.Now().Add(delay).After(deadline) {
		r.Cancel()
		return delay
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		r.Cancel()
	}
	return 0
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
