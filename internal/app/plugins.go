package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host"
)

// Bounds of a batch when neither the plugin nor the configuration sets them.
const (
	defaultBatchRecords = 1000
	defaultBatchBytes   = 8 << 20
)

// PluginDirs returns the directories to look for plugins in: the configured
// ones, or the folder plugins beside the running binary.
func PluginDirs(c *config.Config) []string {
	if len(c.PluginDirs) > 0 {
		return c.PluginDirs
	}
	exe, err := os.Executable()
	if err != nil {
		return []string{"plugins"}
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return []string{filepath.Join(filepath.Dir(exe), "plugins")}
}

// CheckPlugins reports what only the plugins can know about a configuration:
// whether each exists, starts, and accepts its settings. It starts every plugin of
// the part for a moment.
func CheckPlugins(ctx context.Context, f *config.File, part Part) config.Diagnostics {
	names := part.destinations(f.Config)
	dirs := PluginDirs(f.Config)
	lock, err := readLock(f.Name)
	if err != nil {
		return config.Diagnostics{f.Diagnose([]any{"destinations"}, "", "%v", err)}
	}
	found := make([]config.Diagnostics, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { found[i] = checkPlugin(ctx, f, dirs, lock, name) })
	}
	wg.Wait()
	return slices.Concat(found...)
}

func checkPlugin(ctx context.Context, f *config.File, dirs []string, lock *host.Lock, name string) config.Diagnostics {
	d := f.Config.Destinations[name]
	path := []any{"destinations", name, "plugin"}
	if d.Plugin == "" {
		return nil // reported as missing already
	}
	file, err := host.Find(dirs, d.Plugin)
	if missing, ok := errors.AsType[*host.NotFoundError](err); ok {
		hint := "put " + host.Prefix + d.Plugin + " into one of: " + strings.Join(missing.Dirs, ", ")
		if len(missing.Available) > 0 {
			hint = "available: " + strings.Join(missing.Available, ", ")
		}
		return config.Diagnostics{f.Diagnose(path, hint, "no plugin named %q", d.Plugin)}
	}
	if err != nil {
		return config.Diagnostics{f.Diagnose(path, "", "%v", err)}
	}
	if d.SHA256 != "" && !strings.EqualFold(d.SHA256, file.SHA256) {
		return config.Diagnostics{f.Diagnose([]any{"destinations", name, "sha256"}, "if you trust the file, pin "+file.SHA256, "%s has another checksum", file.Path)}
	}
	if err := lock.Check(file); err != nil {
		return config.Diagnostics{f.Diagnose(path, "", "%v", err)}
	}
	description, err := host.Inspect(ctx, file.Path)
	if err != nil {
		return config.Diagnostics{f.Diagnose(path, "", "the plugin does not start: %v", err)}
	}
	return f.CheckSettings(name, description.ConfigSchema)
}

// startPlugins starts one process for each destination that this instance
// delivers to. One that cannot be used
// at all, or refuses its settings, keeps Sluice from starting; one that fails for
// another reason is tried again while events wait.
func (a *App) startPlugins(ctx context.Context) error {
	a.host = host.New(host.Options{
		Dirs: PluginDirs(a.conf), Logger: a.log, StopTimeout: a.conf.Server.ShutdownTimeout,
	})
	a.onStop("plugins", a.host.Stop)
	a.metrics.MustRegister(&pluginCollector{a.host.Metrics})

	now := *a.active.Load()
	all, err := specs(now.file, a.part)
	if err != nil {
		return err
	}
	now.specs = all
	a.active.Store(&now)
	names := slices.Sorted(maps.Keys(all))
	problems := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { problems[i] = a.startPlugin(ctx, all[name]) })
	}
	wg.Wait()
	return errors.Join(problems...)
}

// specs are the part's destinations as the plugin host sees them. Each names the
// very file to run: the pinned one, the locked one, or the one that is there now.
func specs(f *config.File, part Part) (map[string]host.Spec, error) {
	c := f.Config
	lock, err := readLock(f.Name)
	if err != nil {
		return nil, err
	}
	out := make(map[string]host.Spec, len(c.Destinations))
	for _, name := range part.destinations(c) {
		d := c.Destinations[name]
		settings, err := d.SettingsJSON()
		if err != nil {
			return nil, fmt.Errorf("destination %s: settings: %w", name, err)
		}
		spec := host.Spec{
			Destination: name, Plugin: d.Plugin, SHA256: d.SHA256, Settings: settings, Env: d.Env,
			Limits: host.Limits{Memory: d.Limits.Memory, CPU: d.Limits.CPU, OpenFiles: d.Limits.OpenFiles},
		}
		if found, err := host.Find(PluginDirs(c), d.Plugin); err == nil {
			if err := lock.Check(found); err != nil {
				return nil, fmt.Errorf("destination %s: %w", name, err)
			}
			if spec.SHA256 == "" {
				spec.SHA256 = found.SHA256
			}
		}
		out[name] = spec
	}
	return out, nil
}

func (a *App) startPlugin(ctx context.Context, spec host.Spec) error {
	name := spec.Destination
	err := a.host.Start(ctx, spec)
	if err == nil {
		return nil
	}
	running := slices.ContainsFunc(a.host.Status(), func(s host.Status) bool { return s.Destination == name })
	failure, refused := errors.AsType[*destination.Failure](err)
	if !running || refused && failure.Kind == destination.Misconfigured {
		return err
	}
	a.log.Warn("destination does not start yet", "destination", name, "err", err)
	return nil
}

// rules are compiled routes: what goes where, and as what.
type rules struct {
	table *routing.Table
	plans *mapping.Plans
}

func compileRules(c *config.Config) (rules, error) {
	routes := c.Flat()
	table, err := routing.Compile(routes)
	if err != nil {
		return rules{}, fmt.Errorf("routes: %w", err)
	}
	plans, err := mapping.Compile(routes)
	if err != nil {
		return rules{}, fmt.Errorf("routes: %w", err)
	}
	return rules{table, plans}, nil
}

// settingsOf is what the activities know of a configuration.
func (a *App) settingsOf(ctx context.Context, file *config.File, r rules) *activities.Settings {
	c := file.Config
	s := &activities.Settings{
		Revision: file.Revision, TaskQueue: c.Temporal.TaskQueue, Table: r.table, Plans: r.plans,
		Destinations: make(map[string]activities.Destination, len(c.Destinations)),
	}
	for name, d := range c.Destinations {
		limits, err := a.host.Describe(ctx, name)
		if err != nil {
			a.log.Debug("describe destination", "destination", name, "err", err) // being restarted, or not here: defaults do
		}
		records := cmp.Or(limits.MaxBatchRecords, defaultBatchRecords)
		if d.MaxBatch > 0 {
			records = min(records, d.MaxBatch)
		}
		s.Destinations[name] = activities.Destination{
			MaxBatchRecords: records,
			MaxBatchBytes:   cmp.Or(limits.MaxBatchBytes, defaultBatchBytes),
			Timeout:         d.Timeout,
			WritesPerSecond: float64(d.RateLimit), BatchWait: d.BatchWait,
			InitialInterval: d.Retry.InitialInterval, Coefficient: d.Retry.Coefficient,
			MaxInterval: d.Retry.MaxInterval, MaxElapsed: d.Retry.MaxElapsed,
		}
	}
	return s
}

// prober is a destination's own check, as activities want it.
type prober struct{ host *host.Host }

func (p prober) Check(ctx context.Context, name string) error {
	err := p.host.Check(ctx, name)
	if errors.Is(err, host.ErrNotSupported) {
		return activities.ErrNoCheck
	}
	return err
}

// checker tests a destination for operators. One that cannot be tested passes.
type checker struct{ host *host.Host }

func (c checker) Check(ctx context.Context, name string) error {
	if err := c.host.Check(ctx, name); err != nil && !errors.Is(err, host.ErrNotSupported) {
		return err
	}
	return nil
}
