// Package sqlite is the ledger on SQLite: the default, for one process on one
// machine.
//
// It keeps two files in the data directory, so that the acceptance of webhooks
// does not wait for the merging of records: ledger/events.db (events, batches)
// and ledger/state.db (records, deliveries, dead letters). No transaction spans
// both: each step is idempotent, and the order of its writes is such that after
// a crash between them the step is found undone and made again.
//
// Each file has one writer with group commit and a few readers. Leases are in
// memory: the process holds the data directory alone, so they end with it.
package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

var _ ledger.Ledger = (*Ledger)(nil)

// Options say where the ledger is and how it behaves.
type Options struct {
	Dir string // the data directory; created if it is not there
	// DedupWindow is how long an event whose id was derived from its body
	// counts as a duplicate of an earlier one. 0 = 15 minutes.
	DedupWindow time.Duration
	Logger      *slog.Logger
	Now         func() time.Time // nil = time.Now

	frames int64 // 0 = checkpointFrames
}

// Ledger implements [ledger.Ledger]. Its methods may be called concurrently.
type Ledger struct {
	window time.Duration
	log    *slog.Logger
	now    func() time.Time

	lock   *dirLock
	events *file
	state  *file
	signal chan struct{}

	accept acceptance // of the events writer
	ids    ids        // of the state writer
	names  names
	leases leases

	filling filling
	applied atomic.Int64 // batches up to this id are applied, as far as is known

	closing  sync.Once
	closeErr error
}

// file is one database file with its writer and its readers.
type file struct {
	*writer
	*pool
	path   string
	frames int64 // see checkpointFrames

	checkpointer sync.WaitGroup
}

// Open opens the ledger in the data directory, creates it if it is not there,
// and keeps other processes out until Close.
func Open(ctx context.Context, o Options) (l *Ledger, err error) {
	if o.DedupWindow == 0 {
		o.DedupWindow = 15 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	keepMemory()
	o.frames = cmp.Or(o.frames, checkpointFrames)
	l = &Ledger{window: o.DedupWindow, log: o.Logger, now: o.Now, signal: make(chan struct{}, 1)}
	dir := filepath.Join(o.Dir, "ledger")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("ledger: open: %w", err)
	}
	if l.lock, err = lockDir(o.Dir); err != nil {
		return nil, fmt.Errorf("ledger: open: %w", err)
	}
	l.events, err = l.openFile(ctx, dir, "events", 16<<10, o.frames, l.accept.forget)
	if err == nil {
		l.state, err = l.openFile(ctx, dir, "state", 64<<10, o.frames, l.ids.forget)
	}
	if err != nil {
		return nil, errors.Join(explain(err, "open %s", o.Dir), l.Close())
	}
	return l, nil
}

// readers is how many connections read each file.
const readers = 4

func (l *Ledger) openFile(ctx context.Context, dir, name string, cacheKiB int, frames int64, forget func()) (*file, error) {
	path := filepath.Join(dir, name+".db")
	if err := migrate(ctx, name, path); err != nil {
		return nil, err
	}
	w, err := dial(path,
		"busy_timeout=10000",
		"synchronous=FULL",
		"temp_store=MEMORY",
		fmt.Sprintf("cache_size=-%d", cacheKiB),
		"wal_autocheckpoint=0", // see checkpoints
		"journal_size_limit=67108864",
	)
	if err != nil {
		return nil, err
	}
	r, err := newPool(readers, func() (*conn, error) {
		return dial(path, "busy_timeout=10000", "query_only=1", "temp_store=MEMORY", "cache_size=-8192")
	})
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	// It writes the file when the log is moved; what it moves is synced first.
	c, err := dial(path, "busy_timeout=10000", "synchronous=FULL", "cache_size=-1024")
	if err != nil {
		return nil, errors.Join(err, r.close(), w.close())
	}
	f := &file{writer: newWriter(w, forget), pool: r, path: path, frames: frames}
	go f.loop() // ends in close
	f.checkpointer.Go(func() {
		f.checkpoints(c, l.log)
		if err := c.close(); err != nil {
			l.log.Warn("close the ledger", "file", path, "err", err)
		}
	})
	return f, nil
}

// close finishes what is queued, and leaves one file without a log behind.
func (f *file) close() error {
	if f == nil {
		return nil
	}
	f.writer.close()
	f.checkpointer.Wait()
	err := f.pool.close()
	cerr := f.conn.query(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)", func(row) error { return nil })
	return explain(errors.Join(err, cerr, f.conn.close()), "close %s", f.path)
}

// Close ends the ledger after what was accepted is stored. It may be called
// more than once.
func (l *Ledger) Close() error {
	l.closing.Do(func() {
		l.closeErr = errors.Join(l.events.close(), l.state.close())
		if l.lock != nil {
			l.closeErr = errors.Join(l.closeErr, l.lock.release())
		}
	})
	return l.closeErr
}

// Signal implements [ledger.Appender].
func (l *Ledger) Signal() <-chan struct{} { return l.signal }

func (l *Ledger) notify() {
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

// write runs f in a transaction of its own or, with other jobs, in a shared one.
func (f *file) write(ctx context.Context, run func(*conn) error) error {
	return f.do(ctx, &job{run: run})
}

// fileURL makes a name for database/sql, which takes a ? as the start of options.
func fileURL(path string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String()
}
