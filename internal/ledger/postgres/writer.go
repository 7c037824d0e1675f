package postgres

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Bounds of one group. A group that takes long keeps everybody waiting.
const (
	queueLength   = 1024
	maxGroup      = 512
	maxGroupBytes = 8 << 20
)

const (
	// appendPatience is how long a sender waits for one attempt.
	appendPatience = 10 * time.Second
	// downTime is how long appends are refused at once after the server did not
	// answer: the senders need their own time to try again.
	downTime = 500 * time.Millisecond
)

// writer owns one connection and appends: it takes all events that wait into one
// transaction and answers their senders after its commit.
type writer struct {
	l     *Ledger
	line  line
	queue chan *pending
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once
	down  atomic.Pointer[outage]
}

type outage struct {
	until time.Time
	err   error
}

// pending is an event whose sender waits.
type pending struct {
	ev  event.Event
	id  string // under which it is to be stored
	out ledger.Appended
	err chan error
	// gone is set by a sender that does not wait any more, taken by the writer:
	// whoever comes first decides.
	state atomic.Int32
}

const (
	stateWaiting int32 = iota
	stateTaken
	stateGone
)

func newWriter(l *Ledger, config *pgx.ConnConfig) *writer {
	return &writer{
		l: l, line: line{config: config},
		queue: make(chan *pending, queueLength), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// append waits for the commit. The context is honoured until the event is taken
// into a transaction; from then on the answer is the truth.
func (w *writer) append(ctx context.Context, p *pending) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d := w.down.Load(); d != nil && time.Now().Before(d.until) {
		return d.err
	}
	p.err = make(chan error, 1)
	select {
	case <-w.stop:
		return errClosed
	default:
	}
	select {
	case w.queue <- p:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.stop:
		return errClosed
	}
	var gone error
	select {
	case err := <-p.err:
		return err
	case <-ctx.Done():
		gone = ctx.Err()
	case <-w.done:
		// It was queued when the writer had looked for the last time, or it was
		// answered a moment ago.
		gone = errClosed
	}
	if p.state.CompareAndSwap(stateWaiting, stateGone) {
		return gone
	}
	return <-p.err
}

// loop runs until close is called and the queue is empty.
func (w *writer) loop() {
	defer close(w.done)
	var group []*pending
	for {
		var p *pending
		select {
		case p = <-w.queue:
		case <-w.stop:
			select {
			case p = <-w.queue:
			default:
				return
			}
		}
		// Those who were answered a moment ago get a turn to come back: fewer
		// and larger transactions.
		runtime.Gosched()
		group = w.gather(append(group[:0], p))
		w.write(group)
		clear(group)
	}
}

func (w *writer) gather(group []*pending) []*pending {
	size := len(group[0].ev.Body)
	for len(group) < maxGroup && size < maxGroupBytes {
		select {
		case p := <-w.queue:
			size += len(p.ev.Body)
			group = append(group, p)
		default:
			return group
		}
	}
	return group
}

func (w *writer) write(group []*pending) {
	taken := group[:0]
	for _, p := range group {
		if p.state.CompareAndSwap(stateWaiting, stateTaken) {
			taken = append(taken, p)
		}
	}
	if len(taken) == 0 {
		return
	}
	err := w.store(taken)
	if err == nil || len(taken) == 1 || isLost(err) {
		w.answer(taken, err)
		return
	}
	// One event at fault must not spoil the others.
	for _, p := range taken {
		w.answer([]*pending{p}, w.store([]*pending{p}))
	}
}

func (w *writer) answer(group []*pending, err error) {
	fresh := false
	for _, p := range group {
		fresh = fresh || err == nil && !p.out.Duplicate
	}
	if fresh {
		w.l.notify()
		w.l.news.tell()
	}
	for _, p := range group {
		p.err <- err
	}
}

// store appends the group, on a new connection if the one that was there turns
// out to be broken. An event that the broken one has stored is a duplicate then,
// which is acknowledged as well.
func (w *writer) store(group []*pending) error {
	ctx, cancel := context.WithTimeout(context.Background(), appendPatience)
	defer cancel()
	for used := w.line.open(); ; used = false {
		c, err := w.line.get(ctx)
		if err == nil {
			err = w.l.appendGroup(ctx, c, group)
		}
		if err == nil {
			w.down.Store(nil)
			return nil
		}
		if !isLost(err) {
			if !isConflict(err) {
				return err
			}
			continue
		}
		w.line.hangUp()
		if !used {
			w.down.Store(&outage{time.Now().Add(downTime), err})
			return err
		}
	}
}

// close finishes what is queued and ends the loop.
func (w *writer) close() {
	w.once.Do(func() { close(w.stop) })
	<-w.done
	w.line.hangUp()
}

// line is a connection of its own, made again when it is broken. One goroutine
// uses it.
type line struct {
	config *pgx.ConnConfig
	conn   *pgx.Conn
}

func (l *line) open() bool { return l.conn != nil && !l.conn.IsClosed() }

func (l *line) get(ctx context.Context) (*pgx.Conn, error) {
	if l.open() {
		return l.conn, nil
	}
	c, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return nil, err
	}
	l.conn = c
	return c, nil
}

func (l *line) hangUp() {
	if l.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = l.conn.Close(ctx) // nothing is open on it
	l.conn = nil
}

var errNeither = errors.New("an event is neither new nor stored: check the ledger's tables")
