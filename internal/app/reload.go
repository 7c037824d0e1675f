package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host"
)

// A reload reads the whole configuration, checks it as a start does, and takes it
// over at one moment, or changes nothing. What it may change are sources, routes
// and destinations, and what else [live] names; any other setting needs a
// restart, and a configuration that changes one is refused whole, so that the
// revision in force always says what is in force.

// active is the configuration in force. It is replaced whole.
type active struct {
	file   *config.File
	loaded time.Time
	specs  map[string]host.Spec // of the plugins that run
}

// Source reads configurations.
type Source struct {
	// Load reads the configuration from its files.
	Load func() (*config.File, error)
	// Again reads anew only what the references of a configuration name.
	Again func(*config.File) (*config.File, error)
}

// Reload takes over the configuration as it is on disk now.
func (a *App) Reload(ctx context.Context) admin.Reload {
	return a.reload(ctx, a.source.Load)
}

// HangUp is Reload for a signal: what it did is in the log. One that comes too
// early counts when the start is over.
func (a *App) HangUp(ctx context.Context) {
	select {
	case <-a.started:
	case <-ctx.Done():
		return
	}
	if out := a.Reload(ctx); out.Error == "" && !out.Applied {
		a.log.Info("the configuration has not changed", "revision", out.Revision)
	}
}

func (a *App) reload(ctx context.Context, read func() (*config.File, error)) admin.Reload {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if !a.up.Load() { // says nothing about the configuration
		return admin.Reload{Revision: a.active.Load().file.Revision, Error: "this process does not run yet, or is being stopped"}
	}
	out, err := a.takeOver(ctx, read)
	out.Revision = a.active.Load().file.Revision
	a.reloads.count(err)
	if err != nil {
		out.Error, out.Problems = a.refuse(err)
		return out
	}
	a.refused.Store(nil)
	if out.Applied {
		a.log.Info("configuration taken over", "revision", out.Revision,
			"destinations_added", out.Added, "destinations_changed", out.Changed, "destinations_removed", out.Removed)
	}
	return out
}

// refuse is loud about a configuration that was not taken over.
func (a *App) refuse(err error) (problem string, places json.RawMessage) {
	problem = err.Error()
	if ds, ok := errors.AsType[config.Diagnostics](err); ok {
		list := ds.Errors()
		problem = list[0].String()
		if len(list) > 1 {
			problem += fmt.Sprintf(" (and %d more)", len(list)-1)
		}
		for _, d := range list {
			a.log.Error("configuration refused, the one in force stays", "at", fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column),
				"setting", d.Path, "problem", d.Problem, "hint", d.Hint)
		}
		places, _ = json.Marshal(list) // structs of texts and numbers
	} else {
		a.log.Error("configuration refused, the one in force stays", "err", err)
	}
	a.refused.Store(&admin.Refused{At: time.Now(), Problem: problem})
	return problem, places
}

func (a *App) takeOver(ctx context.Context, read func() (*config.File, error)) (admin.Reload, error) {
	var out admin.Reload
	if read == nil {
		return out, errors.New("this process was started without a file to read again")
	}
	file, err := read()
	if file == nil {
		return out, err
	}
	old := a.active.Load()
	problems := file.Diagnostics
	if problems.Err() == nil { // what could not be read is not a change
		problems = slices.Concat(problems, needRestart(old.file.Config, file), CheckPlugins(ctx, file, a.part))
	}
	problems.Sort()
	if err := problems.Err(); err != nil {
		return out, err
	}
	wanted, err := specs(file, a.part)
	if err != nil {
		return out, err
	}
	// A plugin that was replaced on disk is a change too.
	if reflect.DeepEqual(old.file.Config, file.Config) && old.file.Revision == file.Revision && reflect.DeepEqual(old.specs, wanted) {
		return out, nil
	}
	next, err := a.prepare(file, wanted)
	if err != nil {
		return out, err
	}
	defer next.open()
	if err := next.replacePlugins(ctx); err != nil {
		return out, err
	}
	// Past this point it is carried through, even if nobody waits for the answer.
	swapCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.conf.Server.ShutdownTimeout)
	defer cancel()
	next.swap(swapCtx)
	out.Applied, out.Added, out.Changed, out.Removed = true, next.added, next.changed, next.removed
	return out, nil
}

// change is a configuration on its way to be in force.
type change struct {
	*App
	file                    *config.File
	old                     *config.Config
	rules                   rules
	http                    *handlers
	specs                   map[string]host.Spec // of the new configuration
	was                     map[string]host.Spec // of the one in force
	added, changed, removed []string
	closed                  []string // gates
}

// prepare makes all that can be made without touching what runs.
func (a *App) prepare(file *config.File, wanted map[string]host.Spec) (*change, error) {
	now := a.active.Load()
	c := &change{App: a, file: file, old: now.file.Config, specs: wanted, was: now.specs}
	var err error
	if c.rules, err = compileRules(file.Config); err != nil {
		return nil, err
	}
	if c.http, err = a.buildHandlers(file.Config); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(c.specs)) {
		if before, ok := c.was[name]; !ok {
			c.added = append(c.added, name)
		} else if !reflect.DeepEqual(before, c.specs[name]) {
			c.changed = append(c.changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.was)) {
		if _, ok := c.specs[name]; !ok {
			c.removed = append(c.removed, name)
		}
	}
	return c, nil
}

// replacePlugins drains the destinations that change and starts the new plugins.
// If one refuses its settings, all are as before.
func (c *change) replacePlugins(ctx context.Context) error {
	if err := c.close(ctx); err != nil {
		return err
	}
	// What goes ends first: under another name it may come back, with the same files.
	var wg sync.WaitGroup
	for _, name := range c.removed {
		wg.Go(func() {
			if err := c.host.Remove(ctx, name); err != nil && !errors.Is(err, host.ErrUnknown) {
				c.log.Warn("stop the plugin of a removed destination", "destination", name, "err", err)
			}
		})
	}
	wg.Wait()
	touched := slices.Concat(c.added, c.changed)
	problems := make([]error, len(touched))
	for i, name := range touched {
		wg.Go(func() { problems[i] = c.startOrReplace(ctx, name) })
	}
	wg.Wait()
	if errors.Join(problems...) == nil {
		return nil
	}
	c.undo(context.WithoutCancel(ctx), touched)
	c.undo(context.WithoutCancel(ctx), c.removed) // when nobody else has their files any more
	var ds config.Diagnostics
	for i, name := range touched {
		if problems[i] != nil {
			ds = append(ds, c.file.Diagnose([]any{"destinations", name}, "", "%v", problems[i]))
		}
	}
	ds.Sort()
	return ds
}

// close waits until nothing is being written to destinations that change, and
// keeps it so.
func (c *change) close(ctx context.Context) error {
	names := slices.Concat(c.changed, c.removed)
	problems := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			if err := c.gates.Close(ctx, name); err != nil {
				problems[i] = fmt.Errorf("wait for writes to %s: %w", name, err)
			}
		})
	}
	wg.Wait()
	for i, name := range names {
		if problems[i] == nil {
			c.closed = append(c.closed, name)
		}
	}
	return errors.Join(problems...)
}

// open ends what close began.
func (c *change) open() {
	for _, name := range c.closed {
		c.gates.Open(name)
	}
}

// startOrReplace returns an error only for a plugin that cannot be used as it is
// configured. One that fails for another reason is tried again, as at a start.
func (c *change) startOrReplace(ctx context.Context, name string) error {
	err := c.host.Replace(ctx, c.specs[name])
	if err == nil {
		return nil
	}
	failure, refused := errors.AsType[*destination.Failure](err)
	if refused && failure.Kind == destination.Misconfigured || !c.inPlace(name) {
		return err
	}
	c.log.Warn("destination does not start yet", "destination", name, "err", err)
	return nil
}

func (c *change) inPlace(name string) bool {
	return slices.ContainsFunc(c.host.Status(), func(s host.Status) bool {
		return s.Destination == name && s.Plugin == c.specs[name].Plugin && s.State != host.StateStopped
	})
}

// undo brings back the plugins of the configuration in force.
func (c *change) undo(ctx context.Context, touched []string) {
	ctx, cancel := context.WithTimeout(ctx, c.conf.Server.ShutdownTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, name := range touched {
		wg.Go(func() {
			var err error
			if before, ok := c.was[name]; ok {
				err = c.host.Replace(ctx, before)
			} else if err = c.host.Remove(ctx, name); errors.Is(err, host.ErrUnknown) {
				err = nil
			}
			if err != nil {
				c.log.Error("go back to the configuration in force", "destination", name, "err", err)
			}
		})
	}
	wg.Wait()
}

// swap puts the configuration in force. Claims of destinations that do not change
// go on meanwhile, each under the one settings that it began with.
func (c *change) swap(ctx context.Context) {
	c.settings.Store(c.settingsOf(ctx, c.file, c.rules))
	c.active.Store(&active{file: c.file, loaded: time.Now(), specs: c.specs})
	c.adminHandler.set(c.http.admin)
	c.webhookHandler.set(c.http.webhooks)
	if w := c.workers.Load(); w != nil {
		w.SetDestinations(c.queues())
	}
	if err := c.endPauses(ctx); err != nil {
		c.log.Error("end pauses after a change of settings", "err", err)
	}
	c.dispatcher.Wake() // what waits for an added destination is driven
}

// endPauses has destinations tried at once whose settings were wrong and have
// changed.
func (c *change) endPauses(ctx context.Context) error {
	pauses, err := c.ledger.Pauses(ctx)
	if err != nil {
		return err
	}
	for _, p := range pauses {
		if p.Reason != ledger.PauseMisconfigured || !slices.Contains(c.changed, p.Destination) {
			continue
		}
		if _, err := c.ledger.EndPause(ctx, p); err != nil {
			return err
		}
	}
	return c.pauses.Refresh(ctx)
}

// live are the settings that a reload takes over; a name stands for all below it.
var live = []string{
	"sources", "destinations", "routes", "models", "defaults", "watch",
	"server.max_body", "server.max_in_flight", "server.admin_token",
}

// needRestart reports the settings that differ and cannot be taken over.
func needRestart(old *config.Config, file *config.File) config.Diagnostics {
	var out config.Diagnostics
	for _, path := range config.Differences(old, file.Config) {
		name := strings.Join(path, ".")
		if slices.ContainsFunc(live, func(l string) bool { return name == l || strings.HasPrefix(name, l+".") }) {
			continue
		}
		steps := make([]any, len(path))
		for i, s := range path {
			steps[i] = s
		}
		d := file.Diagnose(steps, "restart Sluice, or undo this change to take the others over", "cannot be changed while Sluice runs")
		d.Rule = config.RuleRestart
		out = append(out, d)
	}
	return out
}
