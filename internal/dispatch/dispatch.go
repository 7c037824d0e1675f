// Package dispatch takes accepted events from the ledger, in order, and starts
// workflows for them. It bounds how many workflows are in their first pass
// (merge and first delivery attempt); events gather meanwhile and the next
// workflow takes all of them, so that batches grow with the load by themselves.
//
// A batch is written to the ledger before its workflow is started, and the
// workflow's id is derived from the events in it: after a crash the same batch
// is started under the same id, and never an event twice.
package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/sluicehq/sluice/internal/ledger"
)

// Store is the part of the ledger that the dispatcher uses.
type Store interface {
	Signal() <-chan struct{}
	ClaimBatch(ctx context.Context, max int) (ledger.Batch, bool, error)
	Undone(ctx context.Context, afterID int64, limit int) ([]ledger.Batch, error)
	Pending(ctx context.Context, batch int64) (map[string]int, error)
}

// Shared is the part of a ledger of several instances that the dispatcher uses.
type Shared interface {
	Lead(ctx context.Context, task string, hold time.Duration) (bool, error)
	Progress(ctx context.Context, batch int64) (applied bool, waiting map[string]int, err error)
}

// Options are what [New] needs.
type Options struct {
	Store Store
	// Shared is set when other instances use the ledger as well.
	Shared      Shared
	Starter     Starter
	Passes      *Passes
	Configured  func(destination string) bool // whether a destination is in the configuration
	Logger      *slog.Logger
	MaxEvents   int           // per workflow
	MaxInFlight int           // workflows in their first pass
	Sweep       time.Duration // how often to look for batches that nobody drives; 0 = 30 s, or 15 s with Shared
}

// Dispatcher starts workflows. Create it with [New] and call Run.
type Dispatcher struct {
	store       Store
	shared      Shared // nil: this process is alone
	starter     Starter
	passes      *Passes
	configured  func(string) bool
	log         *slog.Logger
	maxEvents   int
	maxInFlight int
	sweepEvery  time.Duration

	wake chan struct{} // capacity 1

	watching sync.WaitGroup

	claiming sync.Mutex // held from a claim until it is in started

	mu      sync.Mutex
	started map[int64]time.Time // batches of this process: zero while it is starting them
	failed  time.Time           // when Temporal last took nothing from this process; zero if it does

	seen map[int64]time.Time // batches of any instance, when this one first saw them open; of the sweeper
}

// New returns a dispatcher that does nothing yet.
func New(o Options) *Dispatcher {
	if o.Sweep == 0 {
		o.Sweep = 30 * time.Second
		if o.Shared != nil { // what an instance that died had claimed waits for this
			o.Sweep = 15 * time.Second
		}
	}
	return &Dispatcher{
		store: o.Store, shared: o.Shared, starter: o.Starter, passes: o.Passes, configured: o.Configured, log: o.Logger,
		maxEvents: o.MaxEvents, maxInFlight: o.MaxInFlight, sweepEvery: o.Sweep,
		wake:    make(chan struct{}, 1),
		started: make(map[int64]time.Time),
		seen:    make(map[int64]time.Time),
	}
}

// Run dispatches until the context ends.
func (d *Dispatcher) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer func() {
		wg.Wait()
		d.watching.Wait()
	}()
	wg.Go(func() { d.sweepLoop(ctx) })

	slots := make(chan struct{}, d.maxInFlight)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		b, ok := d.next(ctx)
		if !ok {
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			d.drive(ctx, b)
		})
	}
}

// next waits for events and claims them.
func (d *Dispatcher) next(ctx context.Context) (ledger.Batch, bool) {
	for retry := backoff(50*time.Millisecond, 5*time.Second); ; {
		b, ok, err := d.claim(ctx)
		switch {
		case ctx.Err() != nil:
			d.forget(b.ID)
			return b, false
		case err != nil:
			d.log.Error("claim events", "err", err)
			if !retry.sleep(ctx) {
				return b, false
			}
		case ok:
			return b, true
		default:
			select {
			case <-d.store.Signal():
			case <-ctx.Done():
				return b, false
			}
		}
	}
}

// claim also notes that the batch is being started, before the sweeper looks at
// what it found: it would start it first, and free its slot.
func (d *Dispatcher) claim(ctx context.Context) (ledger.Batch, bool, error) {
	d.claiming.Lock()
	defer d.claiming.Unlock()
	b, ok, err := d.store.ClaimBatch(ctx, d.maxEvents)
	if ok && err == nil {
		d.note(b.ID, time.Time{})
	}
	return b, ok, err
}

// drive starts the batch's workflow and returns when its first pass is over.
// While Temporal is away it keeps trying and keeps its slot, so that the
// backlog gathers in the ledger.
func (d *Dispatcher) drive(ctx context.Context, b ledger.Batch) {
	passed := d.passes.open(b.ID)
	defer d.passes.close(b.ID)
	if !d.start(ctx, b) {
		return
	}
	if d.shared != nil {
		d.watching.Go(func() { d.watch(ctx, b.ID) })
	}
	d.passes.wait(ctx, b.ID, passed)
}

// start reports whether a new workflow runs for the batch.
func (d *Dispatcher) start(ctx context.Context, b ledger.Batch) bool {
	for retry := backoff(100*time.Millisecond, 5*time.Second); ; {
		err := d.starter.Start(ctx, b)
		d.reached(err)
		if err == nil || isAlreadyStarted(err) {
			d.note(b.ID, time.Now())
			return err == nil
		}
		if isRefused(err) {
			// It must not keep a slot from all others.
			d.log.Error("temporal refuses the workflow of a batch, the sweeper tries again", "batch", b.ID, "err", err)
			d.forget(b.ID)
			return false
		}
		if retry.first() && ctx.Err() == nil {
			d.log.Warn("temporal does not take workflows, events wait in the ledger", "err", err)
		}
		if !retry.sleep(ctx) {
			d.forget(b.ID) // the sweeper of the next Run finds it
			return false
		}
	}
}

// reached notes whether Temporal took a workflow, or had an answer at least.
func (d *Dispatcher) reached(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = time.Time{}
	if err != nil && !isAlreadyStarted(err) && !isRefused(err) {
		d.failed = time.Now()
	}
}

func (d *Dispatcher) note(batch int64, startedAt time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.started[batch] = startedAt
}

func (d *Dispatcher) forget(batch int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.started, batch)
}

func isAlreadyStarted(err error) bool {
	_, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
	return ok
}

// isRefused reports whether Temporal has an objection to this very workflow. To
// wait for better times is no use then.
func isRefused(err error) bool {
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	_, lost := errors.AsType[*serviceerror.DataLoss](err)
	return invalid || lost
}

// pause between attempts that grows.
type pause struct {
	initial, next, max time.Duration
}

func backoff(initial, max time.Duration) *pause {
	return &pause{initial: initial, next: initial, max: max}
}

func (p *pause) first() bool { return p.next == p.initial }

func (p *pause) sleep(ctx context.Context) bool {
	t := time.NewTimer(p.next)
	defer t.Stop()
	p.next = min(2*p.next, p.max)
	if ctx.Err() != nil {
		return false
	}
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
