// Package postgres is the ledger on PostgreSQL, for any number of instances
// that share it.
//
// Each instance appends with group commit: one goroutine takes all requests
// that wait into one transaction. Claims of batches and deliveries lock rows
// with SKIP LOCKED and leave leases behind, which are rows as well, so that
// nothing is locked while a destination is called. Leases and the moments of
// retries follow the clock of the database: the instances' clocks differ and
// may jump. Pauses end at moments that instances named, by their own clocks.
//
// News between instances travel by NOTIFY; who misses one looks by itself after
// a while.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sluicehq/sluice/internal/ledger"
)

var _ ledger.Ledger = (*Ledger)(nil)

// Options say where the ledger is and how it behaves.
type Options struct {
	URL            string
	Schema         string // "": sluice
	MaxConnections int    // 0 = 12
	// DedupWindow is how long an event whose id was derived from its body
	// counts as a duplicate of an earlier one. 0 = 15 minutes.
	DedupWindow time.Duration
	Logger      *slog.Logger
	// Now, for tests, takes the place of the clocks of the database and of the
	// process.
	Now func() time.Time
}

func (o Options) filled() Options {
	if o.Schema == "" {
		o.Schema = "sluice"
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = 12
	}
	if o.DedupWindow == 0 {
		o.DedupWindow = 15 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Ledger implements [ledger.Ledger]. Its methods may be called concurrently.
type Ledger struct {
	window time.Duration
	log    *slog.Logger
	fixed  func() time.Time // Options.Now

	instance string // names this one in notifications
	pool     *pgxpool.Pool
	writer   *writer
	news     *news
	signal   chan struct{}
	names    names
	claims   claims

	closing sync.Once
	closed  atomic.Bool
}

// Open opens the ledger and creates or upgrades its tables where that is
// needed. Any number of instances may do so at once.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	o = o.filled()
	l := &Ledger{
		window: o.DedupWindow, log: o.Logger, fixed: o.Now,
		instance: rand.Text(), signal: make(chan struct{}, 1),
	}
	config, err := poolConfig(o)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, config.ConnConfig, o.Schema); err != nil {
		return nil, unopened(err, "open")
	}
	if l.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), config); err != nil {
		return nil, unopened(err, "open")
	}
	l.writer = newWriter(l, config.ConnConfig)
	l.news = newNews(l, config.ConnConfig, o.Schema)
	go l.writer.loop() // ends in Close
	l.news.start()
	return l, nil
}

// Close ends the ledger after what was accepted is stored. It may be called
// more than once.
func (l *Ledger) Close() error {
	l.closing.Do(func() {
		l.writer.close()
		l.news.stop()
		l.closed.Store(true)
		l.pool.Close()
	})
	return nil
}

// Signal implements [ledger.Appender].
func (l *Ledger) Signal() <-chan struct{} { return l.signal }

func (l *Ledger) notify() {
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

var errClosed = errors.New("the ledger is closed")
