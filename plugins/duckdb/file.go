package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// options are settings that were checked.
type options struct {
	path, schema string
	memory       string
	threads      int
	releaseAfter time.Duration
}

// file is a DuckDB file that is open while it is used, and for a while after.
// One process at a time can have it open, also for reading, so that others get
// their turn only if we let go of it.
type file struct {
	options
	turn chan struct{} // of one

	// Whoever has the turn may touch these.
	pool  *sql.DB // nil while the file is closed
	timer *time.Timer
}

// turns has one turn for each path. DuckDB opens a file only once per process and
// would let two writers of one row fail. Worse, a table that one transaction
// alters while others commit rows to it may get its rows mixed up, or crash the
// process (seen with DuckDB 1.5.6).
var turns sync.Map

func newFile(o options) *file {
	turn, _ := turns.LoadOrStore(o.path, make(chan struct{}, 1))
	return &file{options: o, turn: turn.(chan struct{})}
}

// use calls f with the open file.
func (f *file) use(ctx context.Context, do func(*sql.DB) error) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.turn }()
	if f.timer != nil {
		f.timer.Stop()
	}
	if err := f.open(); err != nil {
		return err
	}
	err := do(f.pool)
	// After a fatal error DuckDB answers nothing until the file is opened again.
	if e, ok := errors.AsType[*duckdb.Error](err); f.releaseAfter == 0 || ok && e.Type == duckdb.ErrorTypeFatal {
		return errors.Join(err, f.release())
	}
	f.timer = time.AfterFunc(f.releaseAfter, func() { _ = f.close() })
	return err
}

// open opens the file if it is closed. What was answered as delivered is on disk:
// DuckDB syncs its log with every commit.
func (f *file) open() error {
	if f.pool != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o750); err != nil {
		return err
	}
	config := url.Values{
		"memory_limit": {f.memory},
		"threads":      {strconv.Itoa(f.threads)},
		// Data brings no code: nothing is fetched or loaded, and no other file read.
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
		"enable_external_access":       {"false"},
	}
	c, err := duckdb.NewConnector(f.path+"?"+config.Encode(), func(e driver.ExecerContext) error {
		_, err := e.ExecContext(context.Background(), "SET TimeZone = 'UTC'", nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	f.pool = sql.OpenDB(c)
	f.pool.SetMaxOpenConns(1)
	return nil
}

// release closes the file, which also brings its log into it. Call it with the
// turn.
func (f *file) release() error {
	if f.pool == nil {
		return nil
	}
	err := f.pool.Close()
	f.pool = nil
	return err
}

// close lets the file go once nobody uses it.
func (f *file) close() error {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	if f.timer != nil {
		f.timer.Stop()
	}
	return f.release()
}
