package endpoint

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// slots bounds how many hold one at a time.
type slots struct {
	max   int64
	taken atomic.Int64
}

func (s *slots) take() bool {
	if s.taken.Add(1) <= s.max {
		return true
	}
	s.taken.Add(-1)
	return false
}

func (s *slots) give() { s.taken.Add(-1) }

// memory bounds the bytes of bodies held at a time.
type memory struct {
	max  int64
	used atomic.Int64
}

// lease is one request's part of the memory.
type lease struct {
	memory *memory
	held   int64
}

// grow makes the lease as large as size and reports whether there is room.
func (l *lease) grow(size int64) bool {
	more := size - l.held
	if l.memory.used.Add(more) > l.memory.max {
		l.memory.used.Add(-more)
		return false
	}
	l.held = size
	return true
}

func (l *lease) release() {
	if l.held > 0 {
		l.memory.used.Add(-l.held)
		l.held = 0
	}
}

// RateLimit bounds how many requests are accepted over time. The zero value is
// no limit.
type RateLimit struct {
	PerSecond float64
	Burst     int // at once; default: those of a second, and at least one
}

// limiter returns nil when there is no limit.
func (l RateLimit) limiter() (*rate.Limiter, error) {
	switch {
	case l == (RateLimit{}):
		return nil, nil
	case !(l.PerSecond > 0) || l.Burst < 0:
		return nil, errors.New("a rate limit has a rate above 0 and no negative burst")
	case l.Burst == 0:
		l.Burst = int(min(max(1, math.Ceil(l.PerSecond)), math.MaxInt32))
	}
	return rate.NewLimiter(rate.Limit(l.PerSecond), l.Burst), nil
}

// tooSoon takes one request from the limiter, or says how long to wait for it.
func tooSoon(l *rate.Limiter, now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}
