package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/fault"
)

// Bounds of one group. A group that takes long keeps everybody waiting.
const (
	queueLength   = 1024
	maxGroup      = 512
	maxGroupBytes = 8 << 20
	maxGroupTime  = 50 * time.Millisecond
)

var errClosed = errors.New("the ledger is closed")

// writer owns the one connection that writes to a file. It takes all jobs that
// wait into one transaction and answers them after its commit: the cost of an
// fsync is shared by whoever comes while the last one runs.
type writer struct {
	conn  *conn
	queue chan *job
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once
	// forget is called after a rollback: whatever was remembered of the
	// transaction never happened.
	forget func()
}

// job is work for a writer. It may be run again after a rollback, so run must
// begin by resetting what it captured.
type job struct {
	run   func(*conn) error
	plain bool // runs outside of a transaction
	size  int  // bytes it brings
	state atomic.Int32
	err   chan error
}

const (
	jobWaiting int32 = iota
	jobTaken
	jobGone // its caller does not wait any more
)

func newWriter(c *conn, forget func()) *writer {
	return &writer{
		conn: c, forget: forget,
		queue: make(chan *job, queueLength), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// do has the job run and waits for its commit. The context is honoured until
// the job is taken into a transaction; from then on the answer is the truth.
func (w *writer) do(ctx context.Context, j *job) error {
	j.err = make(chan error, 1)
	select {
	case <-w.stop:
		return errClosed
	default:
	}
	select {
	case w.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errClosed
	}
	select {
	case err := <-j.err:
		return err
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaiting, jobGone) {
			return ctx.Err()
		}
		return <-j.err
	case <-w.done:
		// The job was queued when the writer had looked for the last time, or
		// it was answered a moment ago.
		if j.state.CompareAndSwap(jobWaiting, jobGone) {
			return errClosed
		}
		return <-j.err
	}
}

// loop runs until close is called and the queue is empty.
func (w *writer) loop() {
	defer close(w.done)
	var group []*job
	for {
		var j *job
		select {
		case j = <-w.queue:
		case <-w.stop:
			select {
			case j = <-w.queue:
			default:
				return
			}
		}
		// Those who were answered a moment ago get a turn to come back: fewer
		// and larger transactions.
		runtime.Gosched()
		group = w.gather(append(group[:0], j))
		w.write(group)
		clear(group)
	}
}

// gather takes what else waits. A plain job ends the group: it comes last and
// is run by itself.
func (w *writer) gather(group []*job) []*job {
	size := group[0].size
	for len(group) < maxGroup && size < maxGroupBytes && !group[len(group)-1].plain {
		select {
		case j := <-w.queue:
			size += j.size
			group = append(group, j)
		default:
			return group
		}
	}
	return group
}

func (w *writer) write(group []*job) {
	taken := group[:0]
	var plain *job
	for _, j := range group {
		switch {
		case !j.state.CompareAndSwap(jobWaiting, jobTaken):
		case j.plain:
			plain = j
		default:
			taken = append(taken, j)
		}
	}
	for len(taken) > 0 {
		n, err := w.transact(taken)
		if err != nil && n > 1 {
			// One job at fault must not spoil the others, and which it was is
			// not always known: each gets a transaction of its own.
			for _, j := range taken[:n] {
				_, err := w.transact([]*job{j})
				j.err <- err
			}
		} else {
			for _, j := range taken[:n] {
				j.err <- err
			}
		}
		taken = taken[n:]
	}
	if plain != nil {
		plain.err <- call(plain, w.conn)
	}
}

// transact runs the first n jobs in one transaction: all of them unless they
// take too long.
func (w *writer) transact(jobs []*job) (n int, err error) {
	if _, err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return len(jobs), fmt.Errorf("begin: %w", err)
	}
	start := time.Now()
	for _, j := range jobs {
		n++
		if err = call(j, w.conn); err != nil {
			break
		}
		if time.Since(start) > maxGroupTime {
			break
		}
	}
	if err == nil {
		fault.Point(fault.BeforeCommit)
		if _, err = w.conn.exec("COMMIT"); err == nil {
			fault.Point(fault.AfterCommit)
			return n, nil
		}
		err = fmt.Errorf("commit: %w", err)
	}
	// Some errors have ended the transaction already; then this one is refused.
	_, _ = w.conn.exec("ROLLBACK")
	w.forget()
	return n, err
}

// call turns a panic (in routing code, which is called inside a transaction)
// into the failure of the one job.
func call(j *job, c *conn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %T (this is a bug, please report it)", p)
			if e, ok := p.(runtime.Error); ok {
				err = fmt.Errorf("panic: %w (this is a bug, please report it)", e)
			}
		}
	}()
	return j.run(c)
}

// close finishes what is queued and ends the loop.
func (w *writer) close() {
	w.once.Do(func() { close(w.stop) })
	<-w.done
}
