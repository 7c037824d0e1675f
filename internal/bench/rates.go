package bench

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// pace is a fixed rate and what is expected of it.
type pace struct {
	rate     float64
	seconds  float64
	p50, p99 float64 // targets in milliseconds, 0: none
}

func (b *bench) rates(ctx context.Context, to *Result) error {
	r, err := b.newRig(ctx, setup{})
	if err != nil {
		return err
	}
	defer r.close(ctx)
	paces := pick(b,
		[]pace{{10, 30, 30, 0}, {100, 20, 50, 200}, {1000, 20, 120, 0}},
		[]pace{{10, 1, 30, 0}, {200, 1, 50, 200}})
	for _, p := range paces {
		if err := r.atRate(ctx, p, to); err != nil {
			return fmt.Errorf("%g/s: %w", p.rate, err)
		}
	}
	return nil
}

func (r *rig) atRate(ctx context.Context, p pace, to *Result) error {
	total := int64(p.rate * p.seconds)
	first := r.records
	seen := make([]time.Time, total)
	var mu sync.Mutex
	w, err := newWatch(ctx, r.url, func(record int64, at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		if i := record - first; i >= 0 && i < total && seen[i].IsZero() {
			seen[i] = at
		}
	})
	if err != nil {
		return err
	}
	defer w.close()
	m, err := r.meter(ctx)
	if err != nil {
		return err
	}
	s, err := r.send(ctx, load{connections: 64, records: 1, count: total, rate: p.rate})
	if err != nil {
		return err
	}
	last, err := w.await(ctx, total, time.Minute)
	if err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	visible := newHistogram()
	for i, at := range seen {
		if at.IsZero() {
			return fmt.Errorf("record %d was not seen", first+int64(i))
		}
		if err := visible.RecordValue(int64(at.Sub(intended(s.begin, p.rate, int64(i))) / time.Microsecond)); err != nil {
			return err
		}
	}
	name := figure(p.rate) + "/s, "
	to.add(name+"delivered", float64(total)/last.Sub(s.begin).Seconds(), "/s")
	bound := func(what string, q, target float64) {
		if target > 0 {
			to.below(name+what, quantile(visible, q), "ms", target)
		} else {
			to.add(name+what, quantile(visible, q), "ms")
		}
	}
	bound("p50", 50, p.p50)
	bound("p90", 90, 0)
	bound("p99", 99, p.p99)
	bound("max", 100, 0)
	to.add(name+"acknowledged, p50", quantile(s.latency, 50), "ms")
	to.add(name+"acknowledged, p99", quantile(s.latency, 99), "ms")
	if err := m.book(to, name); err != nil {
		return err
	}
	to.Curves = append(to.Curves, distribution(figure(p.rate)+"/s", visible))
	cost, err := costSince(ctx, r.server.Temporal, r.queue, s.begin)
	if err != nil {
		return err
	}
	to.add(name+"workflows", float64(cost.workflows)/float64(total), "per event")
	to.add(name+"Temporal state transitions", float64(cost.transitions)/float64(total), "per event")
	to.add(name+"Temporal history events", float64(cost.history)/float64(total), "per event")
	return r.complete(ctx)
}
