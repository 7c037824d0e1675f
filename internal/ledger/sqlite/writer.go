package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
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
	maxLinger     = time.Millisecond
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
	// committed is sent to, without blocking, after each commit.
	committed chan struct{} // capacity 1
}

// job is work for a writer. It may be run again after a rollback, so run must
// begin by resetting what it captured.
type job struct {
	run   func(*conn) error
	plain bool // runs outside of a transaction
	// relaxed says that power may take the job back after it was answered, as
	// long as the file stays whole.
	relaxed bool
	size    int // bytes it brings
	state   atomic.Int32
	err     chan error
}

const (
	jobWaiting int32 = iota
	jobTaken
	jobGone // its caller does not wait any more
)

func newWriter(c *conn, forget func()) *writer {
	return &writer{
		conn: c, forget: forget, committed: make(chan struct{}, 1),
		queue: make(chan *job, queueLength), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// do has the job run and waits for its commit. The context is honoured until
// the job is taken into a transaction; from then on the answer is the truth.
func (w *writer) do(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
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
	last := 0 // jobs in the last group
	var linger time.Duration
	timer := time.NewTimer(0)
	defer timer.Stop()
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
		// Those who were answered a moment ago get a little time to come back:
		// fewer and larger transactions. It is short against a commit, and nobody
		// waits for company that was not there the last time.
		timer.Reset(linger)
		group = w.gather(append(group[:0], j), last, timer.C)
		last = len(group)
		start := time.Now()
		w.write(group)
		clear(group)
		linger = min(time.Since(start)/4, maxLinger)
	}
}

// gather takes what else waits, and up to a number of jobs waits for them until
// it is late. A plain job ends the group: it comes last and is run by itself.
func (w *writer) gather(group []*job, want int, late <-chan time.Time) []*job {
	size := group[0].size
	for len(group) < maxGroup && size < maxGroupBytes && !group[len(group)-1].plain {
		var j *job
		select {
		case j = <-w.queue:
		default:
			if len(group) >= want {
				return group
			}
			select {
			case j = <-w.queue:
			case <-late:
				want = 0
				continue
			}
		}
		size += j.size
		group = append(group, j)
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
	relaxed := !slices.ContainsFunc(jobs, func(j *job) bool { return !j.relaxed })
	if err := w.conn.relax(relaxed); err != nil {
		return len(jobs), fmt.Errorf("begin: %w", err)
	}
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
			select {
			case w.committed <- struct{}{}:
			default:
			}
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
