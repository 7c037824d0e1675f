// Package host runs destination plugins: it finds their files, starts one
// process per configured destination, keeps it alive, and forwards calls to it.
//
// What it guarantees: a plugin sees only the environment it was given; it is the
// file whose checksum was taken; when it dies it is started again after a pause,
// during which calls fail at once; it stops when the host stops, and when the
// host is killed. What it does not do: repeat calls (a lost answer is the
// caller's to repeat), bound their duration, or limit how many run at a time.
package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// ErrUnknown says that no destination of that name was started.
var ErrUnknown = errors.New("no such destination is running")

// Options are what all destinations have in common. The zero value is usable.
type Options struct {
	Dirs    []string     // where plugins are looked for, in this order
	Logger  *slog.Logger // nil: nowhere
	WorkDir string       // of plugins, for relative paths in settings; empty: the host's

	StartTimeout time.Duration // for start and Configure together; 0: 30 s
	StopTimeout  time.Duration // for a stop before it is a kill; 0: 10 s

	// The pause before a restart: MinPause (1 s), doubled up to MaxPause (60 s);
	// from the start again after a life of StableAfter (10 min).
	MinPause, MaxPause, StableAfter time.Duration
}

// Spec is one configured destination.
type Spec struct {
	Destination string // its name in the configuration
	Plugin      string // name of the plugin
	SHA256      string // pinned checksum; empty: the file as found at Start
	Settings    json.RawMessage
	Env         map[string]string // beside the minimum that every plugin gets
	Timeout     time.Duration     // for start and Configure together; 0: Options.StartTimeout
	Limits      Limits
}

// Status is how one destination's process is.
type Status struct {
	Destination string    `json:"destination"`
	Plugin      string    `json:"plugin"`
	Version     string    `json:"version,omitempty"` // while it runs
	State       State     `json:"state"`
	PID         int       `json:"pid,omitempty"` // while it runs
	Restarts    int       `json:"restarts"`
	LastError   string    `json:"last_error,omitempty"`
	Until       time.Time `json:"until,omitzero"` // end of the pause
}

// Host runs destinations. All methods may be called concurrently.
type Host struct {
	options Options

	mu        sync.Mutex // not held while processes start, work or stop
	processes map[string]*process
	stopped   bool
}

// New returns a host without destinations.
func New(o Options) *Host {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.StartTimeout = cmp.Or(o.StartTimeout, defaultStartTimeout)
	o.StopTimeout = cmp.Or(o.StopTimeout, defaultGrace)
	o.MinPause = cmp.Or(o.MinPause, time.Second)
	o.MaxPause = cmp.Or(o.MaxPause, time.Minute)
	o.StableAfter = cmp.Or(o.StableAfter, 10*time.Minute)
	return &Host{options: o, processes: map[string]*process{}}
}

// Start adds a destination and waits until its plugin is started and configured.
//
// If the plugin cannot be used at all (it is not found, its checksum is wrong,
// the destination exists) nothing is added. If it does not start or refuses its
// settings, the error says so, a [*destination.Failure] of kind Misconfigured in
// the second case, and the destination stays: the host keeps trying as after a
// crash. Remove gives it up.
func (h *Host) Start(ctx context.Context, spec Spec) error {
	if err := h.start(ctx, spec); err != nil {
		return fmt.Errorf("destination %s: plugin %s: %w", spec.Destination, spec.Plugin, err)
	}
	return nil
}

func (h *Host) start(ctx context.Context, spec Spec) error {
	p, err := h.prepare(spec, nil)
	if err != nil {
		return err
	}
	h.mu.Lock()
	switch {
	case h.stopped:
		h.mu.Unlock()
		p.close()
		return errHostStopped
	case h.processes[spec.Destination] != nil:
		h.mu.Unlock()
		p.close()
		return errors.New("is running already")
	}
	p.begin(ctx)
	h.processes[spec.Destination] = p
	h.mu.Unlock()
	return p.ready(ctx)
}

// prepare makes a process of a destination; nothing runs yet. before, if there
// is one, is what must have ended before the first launch.
func (h *Host) prepare(spec Spec, before func()) (*process, error) {
	file, err := h.program(spec)
	if err != nil {
		return nil, err
	}
	spec.SHA256 = file.sum // a file that changes later is not the one that was started
	log := h.options.Logger.With("destination", spec.Destination, "plugin", spec.Plugin)
	l := &launcher{
		program:  file,
		settings: spec.Settings,
		timeout:  cmp.Or(spec.Timeout, h.options.StartTimeout),
		options: OpenOptions{
			SHA256: spec.SHA256,
			Env:    spec.Env,
			Dir:    h.options.WorkDir,
			Logger: log,
			Grace:  h.options.StopTimeout,
			Limits: spec.Limits,
		},
	}
	b := backoff{min: h.options.MinPause, max: h.options.MaxPause, stable: h.options.StableAfter}
	launch := l.launch
	if before != nil {
		var once sync.Once
		launch = func(ctx context.Context) (instance, error) {
			once.Do(before)
			return l.launch(ctx)
		}
	}
	p := newProcess(spec.Destination, spec.Plugin, log, b, launch)
	p.program = file
	return p, nil
}

// program opens the plugin's file. One that was replaced on disk is still there
// for the destination that runs it, or did until it was replaced too: the way
// back from an upgrade that failed.
func (h *Host) program(spec Spec) (*program, error) {
	found, err := Find(h.options.Dirs, spec.Plugin)
	if err == nil && (spec.SHA256 == "" || strings.EqualFold(spec.SHA256, found.SHA256)) {
		file, err := openProgram(found.Path)
		if err != nil || spec.SHA256 == "" || strings.EqualFold(spec.SHA256, file.sum) {
			return file, err
		}
		found.SHA256 = file.sum // it was replaced in this moment
		_ = file.Close()
	}
	if err == nil {
		err = &ChecksumError{Path: found.Path, Want: spec.SHA256, Got: found.SHA256}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.processes[spec.Destination]; p != nil && p.plugin == spec.Plugin && spec.SHA256 != "" {
		for _, kept := range []*program{p.program, p.previous} {
			if kept != nil && strings.EqualFold(kept.sum, spec.SHA256) && !kept.script {
				return kept.share(), nil
			}
		}
	}
	return nil, err
}

var errHostStopped = errors.New("the host is stopped")

// Remove lets the destination's calls end, stops its plugin and waits until it
// is gone. When ctx ends, calls in progress are cut off; the plugin is gone all
// the same. Removing an unknown destination is [ErrUnknown].
func (h *Host) Remove(ctx context.Context, name string) error {
	p, err := h.find(name)
	if err != nil {
		return err
	}
	err = p.stop(ctx)
	h.mu.Lock()
	if h.processes[name] == p {
		delete(h.processes, name)
	}
	h.mu.Unlock()
	if err != nil {
		return fmt.Errorf("destination %s: %w", name, err)
	}
	return nil
}

// Stop removes every destination, all at the same time. No destination can be
// started afterwards.
func (h *Host) Stop(ctx context.Context) error {
	h.mu.Lock()
	h.stopped = true
	all := h.processes
	h.processes = map[string]*process{}
	h.mu.Unlock()

	problems := make(chan error, len(all))
	for name, p := range all {
		go func() {
			err := p.stop(ctx)
			if err != nil {
				err = fmt.Errorf("destination %s: %w", name, err)
			}
			problems <- err
		}()
	}
	var err error
	for range all {
		err = errors.Join(err, <-problems)
	}
	return err
}

// Describe says what the destination's plugin is.
func (h *Host) Describe(ctx context.Context, name string) (d destination.Description, err error) {
	err = h.call(ctx, name, func(i instance) error {
		d = i.Description()
		return nil
	})
	return d, err
}

// Check tests the destination's credentials and reachability. The error is
// [ErrNotSupported] where the plugin has no such capability.
func (h *Host) Check(ctx context.Context, name string) error {
	return h.call(ctx, name, func(i instance) error {
		if !slices.Contains(i.Description().Capabilities, destination.CapabilityCheck) {
			return ErrNotSupported
		}
		return i.Check(ctx)
	})
}

// Write brings a batch to the destination. Without results, the error may hold a
// [*destination.Failure] and counts as Retry otherwise; it wraps [ErrExited] if
// the plugin died meanwhile.
func (h *Host) Write(ctx context.Context, name string, batch destination.Batch) (results []destination.Result, err error) {
	if len(batch.Records) == 0 {
		return nil, nil
	}
	err = h.call(ctx, name, func(i instance) error {
		results, err = i.Write(ctx, batch)
		return err
	})
	return results, err
}

// DryRun says what Write would do. The error is [ErrNotSupported] where the
// plugin has no such capability.
func (h *Host) DryRun(ctx context.Context, name string, batch destination.Batch) (lines []string, err error) {
	err = h.call(ctx, name, func(i instance) error {
		if !slices.Contains(i.Description().Capabilities, destination.CapabilityDryRun) {
			return ErrNotSupported
		}
		lines, err = i.DryRun(ctx, batch)
		return err
	})
	return lines, err
}

// CheckObject says what a mapping gets wrong about an object. The error is
// [ErrNotSupported] where the plugin has no such capability.
func (h *Host) CheckObject(ctx context.Context, name, object string, fields []string) (got destination.ObjectCheck, err error) {
	err = h.call(ctx, name, func(i instance) error {
		if !slices.Contains(i.Description().Capabilities, destination.CapabilityObjects) {
			return ErrNotSupported
		}
		got, err = i.CheckObject(ctx, object, fields)
		return err
	})
	return got, err
}

// Status lists all destinations by name.
func (h *Host) Status() []Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Status, 0, len(h.processes))
	for _, p := range h.processes {
		list = append(list, p.status())
	}
	slices.SortFunc(list, func(a, b Status) int { return strings.Compare(a.Destination, b.Destination) })
	return list
}

func (h *Host) find(name string) (*process, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.processes[name]
	if p == nil {
		return nil, fmt.Errorf("destination %s: %w", name, ErrUnknown)
	}
	return p, nil
}

func (h *Host) call(ctx context.Context, name string, f func(instance) error) error {
	p, err := h.find(name)
	if err != nil {
		return err
	}
	inst, release, err := p.acquire(ctx)
	for errors.Is(err, errStopped) {
		// Another process may have taken its place after it was looked up.
		next, gone := h.find(name)
		if gone != nil || next == p {
			break
		}
		p = next
		inst, release, err = p.acquire(ctx)
	}
	if err == nil {
		err = f(inst)
		release()
	}
	if err != nil {
		return fmt.Errorf("destination %s: plugin %s: %w", name, p.plugin, err)
	}
	return nil
}
