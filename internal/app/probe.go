package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host"
)

// Probe asks the plugins of a configuration what they would do, without a server.
// Each is started when it is first asked.
type Probe struct {
	file *config.File
	host *host.Host

	mu      sync.Mutex
	started map[string]error
}

// NewProbe returns one that has started nothing.
func NewProbe(f *config.File) *Probe {
	return &Probe{
		file: f, started: make(map[string]error),
		host: host.New(host.Options{Dirs: PluginDirs(f.Config), Logger: slog.New(slog.DiscardHandler)}),
	}
}

// DryRun returns the statements or requests that the destination's plugin would
// send for the batch.
func (p *Probe) DryRun(ctx context.Context, name string, b destination.Batch) ([]string, error) {
	if err := p.start(ctx, name); err != nil {
		return nil, err
	}
	lines, err := p.host.DryRun(ctx, name, b)
	if errors.Is(err, host.ErrNotSupported) {
		return nil, fmt.Errorf("the plugin %s cannot tell", p.file.Config.Destinations[name].Plugin)
	}
	return lines, err
}

// Check starts each plugin, asks its destination whether the credentials are good,
// and, where the plugin can tell, whether the objects and fields that mappings
// name are there. Nothing is written.
func (p *Probe) Check(ctx context.Context) config.Diagnostics {
	targets := make(map[string][]config.Target)
	for _, t := range p.file.Targets() {
		targets[t.Destination] = append(targets[t.Destination], t)
	}
	names := slices.Sorted(maps.Keys(p.file.Config.Destinations))
	found := make([]config.Diagnostics, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { found[i] = p.check(ctx, name, targets[name]) })
	}
	wg.Wait()
	return slices.Concat(found...)
}

func (p *Probe) check(ctx context.Context, name string, targets []config.Target) config.Diagnostics {
	path := []any{"destinations", name}
	if err := p.start(ctx, name); err != nil {
		return config.Diagnostics{p.file.Diagnose(path, "", "cannot be asked: %v", err)}
	}
	if err := p.host.Check(ctx, name); err != nil && !errors.Is(err, host.ErrNotSupported) {
		return config.Diagnostics{p.file.Diagnose(path, "", "the destination does not let Sluice in: %v", err)}
	}
	var out config.Diagnostics
	for _, t := range targets {
		fields := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = f.Name
		}
		got, err := p.host.CheckObject(ctx, name, t.Object, fields)
		switch {
		case errors.Is(err, host.ErrNotSupported):
			return out
		case err != nil:
			return append(out, p.file.Diagnose(t.Path, "", "%s cannot be asked about %s: %v", name, t.Object, err))
		case got.Missing:
			out = append(out, p.file.Diagnose(t.Path, nearest(t.Object, got.Known), "%s has no object %s", name, t.Object))
			continue
		}
		for _, f := range t.Fields {
			if slices.Contains(got.Unknown, f.Name) {
				out = append(out, p.file.Diagnose(f.Path, nearest(f.Name, got.Known), "%s of %s has no field %s", t.Object, name, f.Name))
			}
		}
	}
	return out
}

func nearest(word string, known []string) string {
	if c, ok := config.Nearest(word, known); ok {
		return "did you mean " + c + "?"
	}
	return ""
}

func (p *Probe) start(ctx context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err, ok := p.started[name]
	if ok {
		return err
	}
	lock, unreadable := readLock(p.file.Name)
	if unreadable != nil {
		err = unreadable
	} else if !p.file.Known("destinations", name) {
		err = errors.New("a setting of the destination is a reference that is not set here")
	} else if ds := checkPlugin(ctx, p.file, PluginDirs(p.file.Config), lock, name); ds.Err() != nil {
		err = ds.Errors()[0]
	} else if all, wrong := specs(p.file, Part{}); wrong != nil {
		err = wrong
	} else {
		err = p.host.Start(ctx, all[name])
	}
	p.started[name] = err
	return err
}

// Close stops the plugins.
func (p *Probe) Close(ctx context.Context) error { return p.host.Stop(ctx) }
