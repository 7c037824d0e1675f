package app

import (
	"context"
	"errors"
	"time"

	"github.com/sluicehq/sluice/config"
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
	pendingFiles, pend string
}

func (w *watcher) reset() {
	file := w.app.active.Load().file
	w.revision = file.Revision
	w.files, w.secrets = file.Stamps()
	w.pendingFiles, w.pend = w.files, w.secrets
}

func (w *watcher) look(ctx context.Context) {
	file := w.app.active.Load().file
	if file.Revision != w.revision { // somebody else took a configuration over
		w.reset()
		return
	}
	files, secrets := file.StampsNow()
	settled := files == w.pendingFiles && secrets == w.pend
	w.pendingFiles, w.pend = files, secrets
	if !settled {
		return
	}
	switch {
	case files != w.files && (w.app.watch || file.Config.Watch):
		w.app.log.Info("the configuration has changed on disk")
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
	w.files, w.secrets, w.revision = files, secrets, w.app.active.Load().file.Revision
}
