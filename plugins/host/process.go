package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// State says how the process of a destination is.
type State string

// The states of a process. They appear in the admin API; never rename.
const (
	StateStarting   State = "starting"   // being launched and configured
	StateRunning    State = "running"    // takes calls
	StateRestarting State = "restarting" // died or did not start; will be launched again after a pause
	StateFailed     State = "failed"     // refused its settings; launched again when a call comes after the pause
	StateStopped    State = "stopped"
)

// instance is one configured life of a process.
type instance interface {
	destination.Destination
	destination.Checker
	destination.DryRunner
	destination.ObjectChecker
	Description() destination.Description
	PID() int
	Done() <-chan struct{}
	Cause() error
	Close(ctx context.Context)
}

// backoff is the pause before a new life: min, doubled with every death in a
// row, at most max. A life of at least stable ends the row.
type backoff struct {
	min, max, stable time.Duration
}

func (b backoff) after(deaths int) time.Duration {
	d := b.min
	for range deaths - 1 {
		if d *= 2; d >= b.max {
			break
		}
	}
	return min(d, b.max)
}

// process keeps one destination's plugin alive. One goroutine, run, owns its
// lives; calls only look at where it stands.
type process struct {
	destination string
	plugin      string
	log         *slog.Logger
	backoff     backoff
	launch      func(context.Context) (instance, error)
	program     *program // what is launched; nil in tests
	previous    *program // what this process took the place of; may be nil

	cancel   context.CancelFunc // ends run
	hard     context.Context    // ended by cutOff: no more time to stop gracefully
	cutOff   context.CancelFunc
	finished chan struct{} // closed when run has ended
	wake     chan struct{} // tells run that a call came after the pause of StateFailed

	mu       sync.Mutex // never held across a call or a launch
	state    State
	changed  chan struct{} // closed and replaced with every change of state
	current  instance      // StateRunning
	err      error         // why the last life ended or did not begin
	until    time.Time     // end of the pause
	launches int
	draining bool
	calls    sync.WaitGroup
}

func newProcess(destinationName, pluginName string, log *slog.Logger, b backoff, launch func(context.Context) (instance, error)) *process {
	return &process{
		destination: destinationName,
		plugin:      pluginName,
		log:         log,
		backoff:     b,
		launch:      launch,
		finished:    make(chan struct{}),
		wake:        make(chan struct{}, 1),
		state:       StateStarting,
		changed:     make(chan struct{}),
	}
}

// begin starts run. It outlives ctx and ends with stop.
func (p *process) begin(ctx context.Context) {
	p.hard, p.cutOff = context.WithCancel(context.WithoutCancel(ctx))
	ctx, p.cancel = context.WithCancel(p.hard)
	go p.run(ctx)
}

// ready waits for the first launch. The process keeps trying, whatever the error.
func (p *process) ready(ctx context.Context) error {
	_, release, err := p.await(ctx, true)
	if err != nil {
		return err
	}
	release()
	return nil
}

// run launches, waits for the end, pauses, and so on until ctx ends.
func (p *process) run(ctx context.Context) {
	defer close(p.finished)
	defer p.close()
	defer p.set(StateStopped, nil, nil, time.Time{})
	for deaths := 0; ; {
		inst, err := p.launch(ctx)
		began := time.Now()
		if err == nil {
			p.set(StateRunning, inst, nil, time.Time{})
			p.log.Info("plugin started", "version", inst.Description().Version, "pid", inst.PID())
			select {
			case <-inst.Done():
			case <-ctx.Done():
			}
			err = fmt.Errorf("%w: %w", ErrExited, cmpErr(inst.Cause(), errStopped))
			inst.Close(p.hard)
		}
		if ctx.Err() != nil {
			p.log.Info("plugin stopped")
			return
		}
		if time.Since(began) >= p.backoff.stable {
			deaths = 0
		}
		deaths++
		if !p.pause(ctx, err, p.backoff.after(deaths)) {
			return
		}
	}
}

// close gives the files back.
func (p *process) close() {
	for _, file := range []*program{p.program, p.previous} {
		if file != nil {
			_ = file.Close()
		}
	}
}

// pause waits before the next life and reports whether there is to be one.
func (p *process) pause(ctx context.Context, err error, wait time.Duration) bool {
	until := time.Now().Add(wait)
	failure, hasKind := errors.AsType[*destination.Failure](err)
	if hasKind && failure.Until.After(until) {
		until = failure.Until
	}
	state := StateRestarting
	if hasKind && failure.Kind == destination.Misconfigured {
		state = StateFailed
	}
	select {
	case <-p.wake: // of an earlier pause
	default:
	}
	p.log.Error("plugin is down", "err", err, "state", state, "pause", time.Until(until).Round(time.Millisecond))
	p.set(state, nil, err, until)

	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	if state == StateFailed {
		// Nothing is gained by trying wrong credentials again and again while
		// nobody wants to write.
		select {
		case <-p.wake:
		case <-ctx.Done():
			return false
		}
	}
	p.set(StateStarting, nil, err, time.Time{})
	return true
}

func (p *process) set(state State, inst instance, err error, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if state == StateRunning {
		p.launches++
	}
	p.state, p.current, p.err, p.until = state, inst, err, until
	close(p.changed)
	p.changed = make(chan struct{})
}

// acquire returns the running instance; the caller calls release when its call
// is over. During a launch it waits. During a pause it fails at once with a
// Failure, so that the caller's slot is free for others.
func (p *process) acquire(ctx context.Context) (inst instance, release func(), err error) {
	return p.await(ctx, false)
}

// await is acquire; waited says that the caller is there for a launch and wants
// its error rather than the pause after it.
func (p *process) await(ctx context.Context, waited bool) (inst instance, release func(), err error) {
	for {
		p.mu.Lock()
		changed := p.changed
		switch {
		case p.draining || p.state == StateStopped:
			p.mu.Unlock()
			return nil, nil, errStopped
		case p.state == StateRunning && !ended(p.current):
			inst := p.current
			p.calls.Add(1)
			p.mu.Unlock()
			return inst, p.calls.Done, nil
		case p.state == StateStarting:
			waited = true
		case p.state == StateFailed && !waited && !time.Now().Before(p.until):
			select {
			case p.wake <- struct{}{}:
			default:
			}
		case p.state == StateFailed || p.state == StateRestarting:
			err, until := p.err, p.until
			failed := p.state == StateFailed
			p.mu.Unlock()
			if failed || waited {
				return nil, nil, err
			}
			return nil, nil, &destination.Failure{
				Kind:  destination.Throttled,
				Code:  destination.CodeRestarting,
				Until: until,
				Err:   fmt.Errorf("restarts in %v: %w", time.Until(until).Round(time.Millisecond), err),
			}
		}
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// stop lets calls in progress end, stops the process and waits until it is gone.
// When ctx ends, calls in progress are cut off.
func (p *process) stop(ctx context.Context) error {
	p.mu.Lock()
	p.draining = true
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()

	drained := make(chan struct{})
	go func() {
		defer close(drained)
		p.calls.Wait()
	}()
	var err error
	select {
	case <-drained:
	case <-ctx.Done():
		err = fmt.Errorf("calls in progress were cut off: %w", context.Cause(ctx))
	}
	defer context.AfterFunc(ctx, p.cutOff)()
	p.cancel()
	<-p.finished
	<-drained
	p.cutOff()
	return err
}

// status is a snapshot for operators.
func (p *process) status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{
		Destination: p.destination,
		Plugin:      p.plugin,
		State:       p.state,
		Restarts:    max(p.launches-1, 0),
		Until:       p.until,
	}
	if p.current != nil {
		s.Version = p.current.Description().Version
		s.PID = p.current.PID()
	}
	if p.err != nil {
		s.LastError = p.err.Error()
	}
	return s
}

// errStopped is the error of calls to a destination that is being removed.
var errStopped = errors.New("the destination is being stopped")

func ended(inst instance) bool {
	select {
	case <-inst.Done():
		return true
	default:
		return false
	}
}

func cmpErr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
