package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// retryPause is how often what could not be rewritten is tried again when every
// write rewrites its file by itself.
const retryPause = 5 * time.Second

// refresher rewrites current-state files soon after writes, and those that an
// earlier process left behind.
type refresher struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func startRefresher(d *files) *refresher {
	ctx, cancel := context.WithCancel(context.Background())
	r := &refresher{cancel: cancel}
	r.done.Go(func() {
		pause := d.options.refresh
		if pause == 0 { // only what went wrong, and what an earlier process left
			pause = retryPause
		}
		every := time.NewTicker(pause)
		defer every.Stop()
		recovered := false
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-every.C:
				if !recovered {
					recovered = d.recover(ctx)
				}
				d.flushDue(now)
			}
		}
	})
	return r
}

func (r *refresher) stop() {
	r.cancel()
	r.done.Wait()
}

// flushDue rewrites the files whose time has come.
func (d *files) flushDue(now time.Time) {
	d.store.each(func(name string, t target) {
		c, ok := t.(*current)
		if !ok || c.stale(c.root) || !c.due(now, d.options.refresh) {
			return
		}
		if err := c.flush(); err != nil {
			warn("a file could not be rewritten; it stays as it was until that works", err)
		}
	})
}

// recover opens the states whose journal an earlier process did not finish, so
// that their files are rewritten. It reports whether it is done; while another
// process has the directory it is not.
func (d *files) recover(ctx context.Context) bool {
	if _, err := os.Stat(d.options.dir); err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	root, err := d.store.ready(ctx, 0)
	if err != nil {
		return !errors.Is(err, errLocked)
	}
	err = fs.WalkDir(root.FS(), sideFolder, func(name string, e fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rest, isJournal := strings.CutSuffix(strings.TrimPrefix(name, sideFolder+"/"), ".journal")
		if e.IsDir() || !isJournal || info.Size() == 0 {
			return nil
		}
		return d.store.use(root, rest, kindCurrent, d.openCurrent, func(target) error { return nil })
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		warn("files of an earlier run could not all be brought up to date", err)
	}
	return true
}

// warn logs an error of a file. Its text names files and causes, never contents.
func warn(msg string, err error) { slog.Warn(msg, "err", err) }
