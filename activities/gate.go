package activities

import (
	"context"
	"sync"
)

// Gates keep a destination's writes and a change of its settings apart: a claim
// is made, written and booked under one configuration and by one plugin process.
// The zero value is ready; all gates are open.
type Gates struct {
	mu     sync.Mutex // not held while somebody waits
	byName map[string]*gate
}

type gate struct {
	inside int
	closed bool
	change chan struct{} // closed and replaced when inside or closed changes
}

func (g *Gates) get(name string) *gate {
	if g.byName == nil {
		g.byName = make(map[string]*gate)
	}
	got := g.byName[name]
	if got == nil {
		got = &gate{change: make(chan struct{})}
		g.byName[name] = got
	}
	return got
}

func (g *gate) changed() {
	close(g.change)
	g.change = make(chan struct{})
}

// enter waits while the destination's gate is closed. The caller leaves when it
// has booked what it wrote.
func (g *Gates) enter(ctx context.Context, name string) (leave func(), err error) {
	for {
		g.mu.Lock()
		got := g.get(name)
		if !got.closed {
			got.inside++
			g.mu.Unlock()
			return func() {
				g.mu.Lock()
				defer g.mu.Unlock()
				got.inside--
				got.changed()
			}, nil
		}
		change := got.change
		g.mu.Unlock()
		select {
		case <-change:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Close keeps new claims of the destination out and waits until those inside are
// over, which each one bounds by itself. Nobody may close a gate twice. With an
// error the gate is open again.
func (g *Gates) Close(ctx context.Context, name string) error {
	g.mu.Lock()
	got := g.get(name)
	got.closed = true
	g.mu.Unlock()
	for {
		g.mu.Lock()
		inside, change := got.inside, got.change
		g.mu.Unlock()
		if inside == 0 {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			g.Open(name)
			return context.Cause(ctx)
		}
	}
}

// Open lets claims of the destination in.
func (g *Gates) Open(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	got := g.get(name)
	got.closed = false
	got.changed()
}
