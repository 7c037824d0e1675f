package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/fault"
	"github.com/sluicehq/sluice/internal/ledger"
)

// PauseStore is the part of the ledger that holds pauses.
type PauseStore interface {
	Pauses(ctx context.Context) ([]ledger.Pause, error)
	EndPause(ctx context.Context, seen ledger.Pause) (ended bool, err error)
}

// Checker tests whether a destination can be written to again.
type Checker interface {
	Check(ctx context.Context, destination string) error
}

// Pauses keeps the workers in step with the pauses in the ledger, which all
// instances share: it stops polling the queues of paused destinations, ends
// pauses whose time is over, and probes destinations whose settings were wrong.
type Pauses struct {
	store   PauseStore
	checker Checker
	log     *slog.Logger
	current atomic.Pointer[map[string]ledger.Pause]
	reading sync.Mutex        // held while current is replaced, so that it never goes back
	changed chan struct{}     // capacity 1
	probes  map[string]*probe // used by Run only
	running sync.WaitGroup
}

// probe is a misconfigured destination being tested from time to time.
type probe struct {
	next   time.Time
	wait   time.Duration
	result chan bool // capacity 1; nil while no test is under way
}

const (
	pausePoll     = 500 * time.Millisecond
	probeFirst    = 15 * time.Second
	probeAtMost   = 5 * time.Minute
	probeDeadline = 30 * time.Second
)

// NewPauses reads the pauses once.
func NewPauses(ctx context.Context, store PauseStore, checker Checker, log *slog.Logger) (*Pauses, error) {
	p := &Pauses{store: store, checker: checker, log: log, changed: make(chan struct{}, 1), probes: make(map[string]*probe)}
	return p, p.read(ctx)
}

func (p *Pauses) read(ctx context.Context) error {
	p.reading.Lock()
	defer p.reading.Unlock()
	list, err := p.store.Pauses(ctx)
	if err != nil {
		return err
	}
	m := make(map[string]ledger.Pause, len(list))
	for _, pause := range list {
		m[pause.Destination] = pause
	}
	p.current.Store(&m)
	return nil
}

// Paused reports whether the destination is paused.
func (p *Pauses) Paused(destination string) bool {
	_, ok := (*p.current.Load())[destination]
	return ok
}

// Refresh takes notice of a change at once that was made in this process. Those
// of other instances are seen after a moment.
func (p *Pauses) Refresh(ctx context.Context) error {
	if err := p.read(ctx); err != nil {
		return fmt.Errorf("read pauses: %w", err)
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
	return nil
}

// queues are the task queues of the destinations: [Workers], and a fake in tests.
type queues interface {
	names() []string
	Pause(name string)
	Resume(name string) error
}

// Run keeps the workers in step until the context ends.
func (p *Pauses) Run(ctx context.Context, workers queues) {
	t := time.NewTicker(pausePoll)
	defer t.Stop()
	defer p.running.Wait()
	for {
		select {
		case <-t.C:
		case <-p.changed:
		case <-ctx.Done():
			return
		}
		if err := p.read(ctx); err != nil {
			if ctx.Err() == nil {
				p.log.Error("read pauses", "err", err)
			}
			continue
		}
		for _, name := range workers.names() {
			pause, paused := (*p.current.Load())[name]
			if paused && p.over(ctx, pause) {
				ended, err := p.store.EndPause(ctx, pause)
				if err != nil {
					p.log.Error("end a pause", "destination", name, "err", err)
				}
				if !ended {
					continue // another pause took its place
				}
				p.log.Info("destination resumed", "destination", name, "reason", pause.Reason)
				paused = false
				if err := p.read(ctx); err != nil { // attempts ask Paused
					p.log.Error("read pauses", "err", err)
				}
			}
			if paused {
				workers.Pause(name)
			} else {
				delete(p.probes, name)
				if err := workers.Resume(name); err != nil {
					p.log.Error("resume", "destination", name, "err", err)
				}
			}
		}
	}
}

// over reports whether the reason of the pause has passed.
func (p *Pauses) over(ctx context.Context, pause ledger.Pause) bool {
	switch pause.Reason {
	case ledger.PauseMisconfigured:
		return p.probe(ctx, pause.Destination)
	case ledger.PauseOperator:
		return !pause.Until.IsZero() && fault.Now().After(pause.Until)
	default:
		return fault.Now().After(pause.Until)
	}
}

// probe tests a destination in the background, so that one that hangs does not
// hold up the others, and reports whether the last test passed.
func (p *Pauses) probe(ctx context.Context, name string) bool {
	now := time.Now()
	got := p.probes[name]
	if got == nil {
		got = &probe{next: now.Add(probeFirst), wait: probeFirst}
		p.probes[name] = got
	}
	if got.result != nil {
		select {
		case passed := <-got.result:
			got.result = nil
			return passed
		default:
			return false
		}
	}
	if now.Before(got.next) {
		return false
	}
	got.wait = min(2*got.wait, probeAtMost)
	got.next = now.Add(got.wait)
	result := make(chan bool, 1)
	got.result = result
	p.running.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, probeDeadline)
		defer cancel()
		result <- p.checker.Check(ctx, name) == nil
	})
	return false
}
