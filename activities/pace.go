package activities

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// ownPace holds the rates of destinations in this process.
type ownPace struct {
	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

func newOwnPace() *ownPace { return &ownPace{limiters: make(map[string]*rate.Limiter)} }

// reserve is a [Pace].
func (p *ownPace) reserve(_ context.Context, destination string, perSecond float64, patience time.Duration) (time.Duration, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	got, ok := p.limiters[destination]
	if !ok {
		got = rate.NewLimiter(rate.Limit(perSecond), 1)
		p.limiters[destination] = got
	}
	if got.Limit() != rate.Limit(perSecond) {
		got.SetLimit(rate.Limit(perSecond))
	}
	r := got.Reserve()
	wait := r.Delay()
	if wait > patience {
		r.Cancel()
		return wait, false, nil
	}
	return wait, true, nil
}

// limit waits until one more write is within the destination's rate, or until
// ctx ends. If that is after the deadline it does not wait, and says how long it
// would have to.
func (a *Activities) limit(ctx context.Context, name string, d Destination, deadline time.Time) time.Duration {
	if d.WritesPerSecond <= 0 {
		return 0
	}
	wait, ok, err := a.pace(ctx, name, d.WritesPerSecond, time.Until(deadline))
	if err != nil {
		a.log.Error("keep the rate of a destination", "destination", name, "err", err)
		return time.Second
	}
	if !ok {
		return max(wait, time.Millisecond) // its moment came while it was refused: nothing is reserved all the same
	}
	if wait == 0 {
		return 0
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return 0
}
