package dispatch

import (
	"context"
	"sync"
	"time"
)

// firstPass is how long a workflow's first pass may keep its slot, straggler how
// long once a destination has had its attempt. A destination that takes longer is
// slow, and until an attempt there is quick again nobody waits for it: one that
// hangs should hardly be felt at the others.
const (
	firstPass = time.Second
	straggler = 200 * time.Millisecond
)

// remembered is how long a pass is kept, only to learn whether a slow
// destination recovers.
const remembered = 10 * firstPass

// Passes follows workflows through their first pass: the activities of this
// process report to it, and those of others are seen in the ledger; the
// dispatcher waits on it.
type Passes struct {
	paused func(destination string) bool

	mu     sync.Mutex
	passes map[int64]*pass
	slow   map[string]bool
}

type pass struct {
	began   time.Time
	applied bool
	missing map[string]bool // destinations without an attempt yet
	first   time.Time       // when an attempt was over
	begun   chan struct{}   // closed then
	over    chan struct{}
}

// late reports whether an attempt that is over by now was a slow one.
func (p *pass) late(now time.Time) bool {
	return now.Sub(p.began) >= firstPass || !p.first.IsZero() && now.Sub(p.first) >= straggler
}

// NewPasses returns an empty Passes. paused says whether a destination is not
// being tried at the moment.
func NewPasses(paused func(destination string) bool) *Passes {
	return &Passes{paused: paused, passes: make(map[int64]*pass), slow: make(map[string]bool)}
}

func (p *Passes) open(batch int64) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	got := &pass{began: time.Now(), begun: make(chan struct{}), over: make(chan struct{})}
	p.passes[batch] = got
	return got.over
}

func (p *Passes) close(batch int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := p.passes[batch]; got != nil && len(got.missing) == 0 {
		delete(p.passes, batch)
	}
}

// Applied says that the batch is merged and goes to these destinations.
func (p *Passes) Applied(batch int64, destinations []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.passes[batch]
	if got == nil || got.applied {
		return
	}
	got.applied = true
	got.began = time.Now()
	got.missing = make(map[string]bool, len(destinations))
	for _, d := range destinations {
		if !p.paused(d) {
			got.missing[d] = true
		}
	}
	p.settle(batch, got)
}

// Attempted says that an attempt to deliver the batch to a destination is over.
// One that wrote nothing, as it is not the time for it, is no measure of others.
func (p *Passes) Attempted(batch int64, destination string, wrote bool) {
	p.attempted(batch, destination, wrote, time.Now())
}

// attempted is for an attempt that was over at some moment after since.
func (p *Passes) attempted(batch int64, destination string, wrote bool, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.passes[batch]
	if got == nil || !got.missing[destination] {
		return
	}
	delete(got.missing, destination)
	if wrote {
		if !got.late(since) {
			delete(p.slow, destination)
		}
		if got.first.IsZero() {
			got.first = time.Now()
			close(got.begun)
		}
	}
	p.settle(batch, got)
}

// follows reports whether there is something to learn about the batch yet.
func (p *Passes) follows(batch int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passes[batch] != nil
}

// observed says what the ledger has of a batch that is applied: for these
// destinations something waits. A destination for which nothing does any more
// has had its attempt since the ledger was asked before.
func (p *Passes) observed(batch int64, waiting map[string]int, configured func(destination string) bool, before time.Time) {
	var left []string
	for d := range waiting {
		if configured(d) {
			left = append(left, d)
		}
	}
	p.Applied(batch, left)
	p.mu.Lock()
	got := p.passes[batch]
	var done []string
	if got != nil {
		for d := range got.missing {
			if waiting[d] == 0 {
				done = append(done, d)
			}
		}
	}
	p.mu.Unlock()
	for _, d := range done {
		p.attempted(batch, d, true, before)
	}
}

// settle ends the pass when nothing is missing but slow destinations.
func (p *Passes) settle(batch int64, got *pass) {
	for d := range got.missing {
		if !p.slow[d] {
			return
		}
	}
	select {
	case <-got.over:
	default:
		close(got.over)
	}
	if len(got.missing) == 0 {
		delete(p.passes, batch)
	}
}

// begun returns a channel that is closed when an attempt of the batch is over.
func (p *Passes) begun(batch int64) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := p.passes[batch]; got != nil {
		return got.begun
	}
	return nil
}

// wait returns when the pass is over or has taken too long.
func (p *Passes) wait(ctx context.Context, batch int64, over <-chan struct{}) {
	end := time.Now().Add(firstPass)
	t := time.NewTimer(firstPass)
	defer t.Stop()
	for begun, late := p.begun(batch), false; !late; {
		select {
		case <-over:
			return
		case <-ctx.Done():
			return
		case <-begun:
			begun = nil
			t.Reset(min(straggler, time.Until(end)))
		case <-t.C:
			late = true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.passes[batch]
	if got == nil {
		return
	}
	for d := range got.missing {
		p.slow[d] = true
	}
	for id, old := range p.passes {
		if old.applied && time.Since(old.began) > remembered {
			delete(p.passes, id)
		}
	}
}
