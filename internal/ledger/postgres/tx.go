package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sluicehq/sluice/internal/fault"
)

// conflictTries is how often a transaction is made that runs into others.
const conflictTries = 10

// patience bounds one transaction, the wait for a connection included.
const patience = time.Minute

// tx is a transaction that is sent in batches: what need not wait for an answer
// shares a round trip, the begin and the commit too.
type tx struct {
	conn  *pgx.Conn
	begun bool
	over  bool
}

// batch begins the next round trip.
func (t *tx) batch() *pgx.Batch {
	b := new(pgx.Batch)
	if !t.begun {
		b.Queue("BEGIN")
		t.begun = true
	}
	return b
}

func (t *tx) send(ctx context.Context, b *pgx.Batch) error {
	return t.conn.SendBatch(ctx, b).Close()
}

// commit sends the last batch.
func (t *tx) commit(ctx context.Context, b *pgx.Batch) error {
	b.Queue("COMMIT")
	fault.Point(fault.BeforeCommit)
	err := t.send(ctx, b)
	fault.Point(fault.AfterCommit)
	t.over = err == nil
	return err
}

// write makes a transaction, again if it ran into another one: run begins by
// resetting what it captured, and commits. What run has not committed is rolled
// back.
func (l *Ledger) write(ctx context.Context, run func(ctx context.Context, t *tx) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for try := 1; ; try++ {
		c, err := l.acquire(ctx)
		if err != nil {
			return err
		}
		err = transact(ctx, c.Conn(), run)
		c.Release()
		if err == nil || !isConflict(err) || try == conflictTries {
			return err
		}
		timer := time.NewTimer(rand.N(time.Duration(try) * 5 * time.Millisecond))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func transact(ctx context.Context, c *pgx.Conn, run func(ctx context.Context, t *tx) error) (err error) {
	t := &tx{conn: c}
	defer func() {
		if p := recover(); p != nil {
			err = bug(p)
		}
		if t.begun && !t.over && !c.IsClosed() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_, _ = c.Exec(ctx, "ROLLBACK") // a connection that is broken is thrown away
		}
	}()
	return run(ctx, t)
}

// bug turns a panic (in routing code, which is called inside a transaction) into
// an error.
func bug(p any) error {
	if e, ok := p.(runtime.Error); ok {
		return fmt.Errorf("panic: %w (this is a bug, please report it)", e)
	}
	return fmt.Errorf("panic: %T (this is a bug, please report it)", p)
}

// read sends queries that need no transaction of more than one round trip: all
// of a batch see one transaction, each statement the newest commits.
func (l *Ledger) read(ctx context.Context, b *pgx.Batch) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := l.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return c.SendBatch(ctx, b).Close()
}

// acquire returns a connection of the pool.
func (l *Ledger) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	if l.closed.Load() {
		return nil, errClosed
	}
	return l.pool.Acquire(ctx)
}

// query collects rows of a queued query.
func query[T any](b *pgx.Batch, out *[]T, scan func(row pgx.CollectableRow) (T, error), sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*out, err = pgx.CollectRows(rows, scan)
		return err
	})
}

// one reads the row of a queued query that has one at most.
func one(b *pgx.Batch, scan func(row pgx.Row) error, sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		if rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		rows.Close()
		return rows.Err()
	})
}
