package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"
)

// checkpointFrames is how long the write-ahead log may get, in pages, before it
// is moved into the file. Pages that were written many times are moved once.
const checkpointFrames = 8000

// checkpointPause is how often the log is looked at, at most.
const checkpointPause = 20 * time.Millisecond

// checkpoints moves the log into the file while the writer goes on. SQLite would
// do it within a commit, for tenths of a second, and everybody who waits for that
// commit would wait for it. It runs until the writer has ended.
func (f *file) checkpoints(c *conn, log *slog.Logger) {
	for {
		select {
		case <-f.committed:
		case <-f.done:
			return
		}
		if err := f.checkpoint(c); err != nil && !errors.Is(err, errClosed) { // close moves what is left
			log.Warn("move the write-ahead log into the ledger", "file", f.path, "err", err)
		}
		t := time.NewTimer(checkpointPause)
		select {
		case <-t.C:
		case <-f.done:
			t.Stop()
			return
		}
	}
}

func (f *file) checkpoint(c *conn) error {
	logged, _, err := moveLog(c, "PRAGMA wal_checkpoint(NOOP)")
	if err != nil || logged < f.frames {
		return err
	}
	// What came during one pass is left to the next: it is less.
	for range 3 {
		logged, moved, err := moveLog(c, passive)
		if err != nil {
			return err
		}
		if logged-moved < f.frames/16 {
			break
		}
	}
	// The log begins anew only when nothing of it is left: the writer moves the
	// rest, between two transactions.
	return f.do(context.Background(), &job{plain: true, run: func(c *conn) error {
		_, _, err := moveLog(c, passive)
		return err
	}})
}

const passive = "PRAGMA wal_checkpoint(PASSIVE)"

// sync makes durable what relaxed jobs have committed: it is in the log, or a
// checkpoint has synced it with the file.
func (f *file) sync() error {
	log, err := os.OpenFile(f.path+"-wal", os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(log.Sync(), log.Close())
}

// moveLog returns how many pages the log has and how many of them are in the
// file as well.
func moveLog(c *conn, pragma string) (logged, moved int64, err error) {
	_, err = c.one(context.Background(), pragma, func(r row) { logged, moved = r.int(1), r.int(2) })
	return logged, moved, err
}
