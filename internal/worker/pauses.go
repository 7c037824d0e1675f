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
	ExtendPause(ctx context.Context, seen ledger.Pause, until time.Time) (extended bool, err error)
}

// Prober finds out whether a destination can be written to again.
type Prober interface {
	// Probe tries the destination, and lets one write through if there is
	// something to write.
	Probe(ctx context.Context, destination string) (passed bool, err error)
	// ProbeTime is how long that may take.
	ProbeTime(destination string) time.Duration
	// ProbeWait is the wait after a probe that failed.
	ProbeWait(p ledger.Pause, now time.Time) time.Duration
}

// Pauses keeps the workers in step with the pauses in the ledger, which all
// instances share: it stops polling the queues of paused destinations, ends
// pauses whose time is over, and probes destinations that are down or refused
// their settings. Of several instances one probes at a time.
type Pauses struct {
	store   PauseStore
	prober  Prober // set by Run
	log     *slog.Logger
	current atomic.Pointer[map[string]pausedOne]
	reading sync.Mutex      // held while current is replaced, so that it never goes back
	changed chan struct{}   // capacity 1
	probing map[string]bool // used by Run only; probes under way
	probed  chan string     // a probe is over
	running sync.WaitGroup
}

// pausedOne is what is paused of one destination.
type pausedOne struct {
	whole *ledger.Pause
	parts []ledger.Pause
}

const (
	pausePoll = 500 * time.Millisecond
	// probeFirst is when a destination is probed whose pause does not say when:
	// one that an older Sluice set.
	probeFirst = 15 * time.Second
	probeLeast = time.Second
)

// NewPauses reads the pauses once.
func NewPauses(ctx context.Context, store PauseStore, log *slog.Logger) (*Pauses, error) {
	p := &Pauses{
		store: store, log: log, changed: make(chan struct{}, 1),
		probing: make(map[string]bool), probed: make(chan string),
	}
	return p, p.read(ctx)
}

func (p *Pauses) read(ctx context.Context) error {
	p.reading.Lock()
	defer p.reading.Unlock()
	list, err := p.store.Pauses(ctx)
	if err != nil {
		return err
	}
	m := make(map[string]pausedOne, len(list))
	for _, pause := range list {
		got := m[pause.Destination]
		if pause.Scope == ledger.ScopeDestination {
			got.whole = &pause
		} else {
			got.parts = append(got.parts, pause)
		}
		m[pause.Destination] = got
	}
	p.current.Store(&m)
	return nil
}

// Paused reports whether the destination is paused.
func (p *Pauses) Paused(destination string) bool {
	return (*p.current.Load())[destination].whole != nil
}

// Of returns the destination's pause, nil if there is none, and those of parts
// of it.
func (p *Pauses) Of(destination string) (whole *ledger.Pause, parts []ledger.Pause) {
	got := (*p.current.Load())[destination]
	return got.whole, got.parts
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

// Run keeps the workers in step until the context ends. prober may be nil where
// there are no workers.
func (p *Pauses) Run(ctx context.Context, workers queues, prober Prober) {
	p.prober = prober
	t := time.NewTicker(pausePoll)
	defer t.Stop()
	defer func() {
		p.running.Wait()
		clear(p.probing)
	}()
	for {
		select {
		case <-t.C:
		case <-p.changed:
		case name := <-p.probed:
			delete(p.probing, name)
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
			p.keep(ctx, workers, name)
		}
	}
}

// keep acts on what is paused of one destination.
func (p *Pauses) keep(ctx context.Context, workers queues, name string) {
	whole, parts := p.Of(name)
	for _, part := range parts {
		if fault.Now().After(part.Until) {
			if _, err := p.store.EndPause(ctx, part); err != nil {
				p.log.Error("end a pause", "destination", name, "scope", part.Scope, "part", part.Part, "err", err)
			}
		}
	}
	if whole != nil && p.over(*whole) {
		if whole.Probed() {
			p.probe(ctx, *whole)
		} else if !p.end(ctx, *whole) {
			return // another pause took its place
		}
		whole, _ = p.Of(name)
	}
	if whole != nil {
		workers.Pause(name)
	} else if err := workers.Resume(name); err != nil {
		p.log.Error("resume", "destination", name, "err", err)
	}
}

// over reports whether the time of the pause has passed: it ends, or a probe is
// due.
func (p *Pauses) over(pause ledger.Pause) bool {
	until := pause.Until
	if until.IsZero() {
		if !pause.Probed() {
			return false
		}
		until = pause.Since.Add(probeFirst)
	}
	return fault.Now().After(until)
}

// end ends a pause and reports whether it is over.
func (p *Pauses) end(ctx context.Context, pause ledger.Pause) bool {
	ended, err := p.store.EndPause(ctx, pause)
	if err != nil {
		p.log.Error("end a pause", "destination", pause.Destination, "err", err)
	}
	if !ended {
		return false
	}
	p.log.Info("destination resumed", "destination", pause.Destination, "reason", pause.Reason)
	if err := p.read(ctx); err != nil { // attempts ask Paused
		p.log.Error("read pauses", "err", err)
	}
	return true
}

// probe tries a destination in the background, so that one that hangs does not
// hold up the others. The end of the pause moves behind the probe first, which
// only one instance manages: it is the one that probes. If it dies, the others
// do when that time is over.
func (p *Pauses) probe(ctx context.Context, pause ledger.Pause) {
	name := pause.Destination
	if p.probing[name] {
		return
	}
	mine := pause
	mine.Until = fault.Now().Add(p.prober.ProbeTime(name)).Truncate(time.Microsecond)
	chosen, err := p.store.ExtendPause(ctx, pause, mine.Until)
	if err != nil {
		p.log.Error("begin a probe", "destination", name, "err", err)
	}
	if !chosen {
		return
	}
	p.probing[name] = true
	p.running.Go(func() {
		probeCtx, cancel := context.WithTimeout(ctx, p.prober.ProbeTime(name))
		defer cancel()
		passed, err := p.prober.Probe(probeCtx, name)
		p.log.Debug("destination probed", "destination", name, "passed", passed, "err", err)
		if passed {
			p.end(ctx, mine)
		} else {
			p.again(ctx, name)
		}
		select {
		case p.probed <- name:
		case <-ctx.Done():
		}
	})
}

// again sets the moment of the next probe. The probe may have found another
// reason to pause, with an end of its own.
func (p *Pauses) again(ctx context.Context, name string) {
	if ctx.Err() != nil { // stopped in the middle of it: others shall not wait for the end of this probe
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), pausePoll)
		defer cancel()
	}
	err := p.read(ctx)
	if now, _ := p.Of(name); err == nil && now != nil && now.Probed() {
		wait := max(p.prober.ProbeWait(*now, fault.Now()), probeLeast)
		_, err = p.store.ExtendPause(ctx, *now, fault.Now().Add(wait))
	}
	if err == nil {
		err = p.read(ctx)
	}
	if err != nil {
		p.log.Error("set the next probe", "destination", name, "err", err)
	}
}
