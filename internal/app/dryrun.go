package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host"
)

// DryRunner asks the plugins of a configuration what they would do. Each is
// started when it is first asked.
type DryRunner struct {
	file *config.File
	host *host.Host

	mu      sync.Mutex
	started map[string]error
}

// NewDryRunner returns one that has started nothing.
func NewDryRunner(f *config.File) *DryRunner {
	return &DryRunner{
		file: f, started: make(map[string]error),
		host: host.New(host.Options{Dirs: PluginDirs(f.Config), Logger: slog.New(slog.DiscardHandler)}),
	}
}

// DryRun returns the statements or requests that the destination's plugin would
// send for the batch.
func (d *DryRunner) DryRun(ctx context.Context, name string, b destination.Batch) ([]string, error) {
	if err := d.start(ctx, name); err != nil {
		return nil, err
	}
	lines, err := d.host.DryRun(ctx, name, b)
	if errors.Is(err, host.ErrNotSupported) {
		return nil, fmt.Errorf("the plugin %s cannot tell", d.file.Config.Destinations[name].Plugin)
	}
	return lines, err
}

func (d *DryRunner) start(ctx context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err, ok := d.started[name]
	if ok {
		return err
	}
	if !d.file.Known("destinations", name) {
		err = errors.New("a setting of the destination is a reference that is not set here")
	} else if ds := checkPlugin(ctx, d.file, PluginDirs(d.file.Config), name); ds.Err() != nil {
		err = ds.Errors()[0]
	} else if all, wrong := specs(d.file.Config, Part{}); wrong != nil {
		err = wrong
	} else {
		err = d.host.Start(ctx, all[name])
	}
	d.started[name] = err
	return err
}

// Close stops the plugins.
func (d *DryRunner) Close(ctx context.Context) error { return d.host.Stop(ctx) }
