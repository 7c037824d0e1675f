package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/plugins/host"
)

// watchEvery is how often files are looked at. Asking is what works everywhere:
// on mounted ConfigMaps, whose files are swapped by moving a link, on network file
// systems, and for files that are replaced rather than written.
const watchEvery = 2 * time.Second

// runWatch takes over changes by itself: of the files that ${file:…} names
// always, so that secrets can be rotated, and of the configuration if that was
// asked for.
func (a *App) runWatch(ctx context.Context) {
	if a.source.Load == nil {
		return
	}
	w := watcher{app: a}
	w.reset()
	for sleep(ctx, watchEvery); ctx.Err() == nil; sleep(ctx, watchEvery) {
		w.look(ctx)
	}
}

// watcher compares what is on disk with what was there at the last look. A change
// counts when the files stay the same for one more look: they may be being
// written.
type watcher struct {
	app                *App
	revision           string // whose files are watched
	files, secrets     string
	plugins            string // of the plugins' files, and the lock of them
	pendingFiles, pend string
	pendingPlugins     string
}

func (w *watcher) reset() {
	file := w.app.active.Load().file
	w.revision = file.Revision
	w.files, w.secrets = file.Stamps()
	w.plugins = pluginStamps(file)
	w.pendingFiles, w.pend, w.pendingPlugins = w.files, w.secrets, w.plugins
}

func (w *watcher) look(ctx context.Context) {
	file := w.app.active.Load().file
	if file.Revision != w.revision { // somebody else took a configuration over
		w.reset()
		return
	}
	files, secrets := file.StampsNow()
	plugins := pluginStamps(file)
	settled := files == w.pendingFiles && secrets == w.pend && plugins == w.pendingPlugins
	w.pendingFiles, w.pend, w.pendingPlugins = files, secrets, plugins
	if !settled {
		return
	}
	switch {
	case files != w.files && (w.app.watch || file.Config.Watch):
		w.app.log.Info("the configuration has changed on disk")
		w.app.Reload(ctx)
	case plugins != w.plugins && (w.app.watch || file.Config.Watch):
		w.app.log.Info("a plugin or the lock file has changed on disk")
		w.app.Reload(ctx)
	case secrets != w.secrets:
		w.app.log.Info("a file that the configuration names has changed")
		w.app.reload(ctx, func() (*config.File, error) {
			if w.app.source.Again == nil {
				return nil, errors.New("references cannot be read again")
			}
			return w.app.source.Again(file)
		})
	default:
		return
	}
	// Also after a refusal: it is tried again when something changes again.
	w.plugins = plugins
	w.files, w.secrets, w.revision = files, secrets, w.app.active.Load().file.Revision
}

// pluginStamps tell whether a file of a plugin was replaced, wherever it is
// looked for, without reading it.
func pluginStamps(f *config.File) string {
	paths := []string{LockPath(f.Name)}
	for _, dir := range PluginDirs(f.Config) {
		for _, d := range f.Config.Destinations {
			paths = append(paths, filepath.Join(dir, host.Prefix+d.Plugin))
		}
	}
	slices.Sort(paths)
	var b strings.Builder
	for _, path := range slices.Compact(paths) {
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(&b, "%s %d %d %s\n", path, info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
	}
	return b.String()
}
