package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// target is where a load goes.
type target struct {
	address, path, apiKey string
}

// load sends messages. Their numbers go on from one load to the next of the same
// rig, so that every event and every record is new.
type load struct {
	to          target
	connections int
	records     int    // per message
	operation   string // CREATE or UPDATE
	created     time.Time
	firstEvent  int64
	firstRecord int64

	count int64         // messages; 0: until the time is over
	limit time.Duration // 0: until the count is reached
	rate  float64       // per second, open loop; 0: as fast as the answers come
	// room is asked before each message of a closed loop, with the number of
	// messages sent before; nil is yes.
	room func(sent int64) bool
	// acknowledged is called after each message that was; nil is nobody.
	acknowledged func(at time.Time)
}

// sent is what became of a load.
type sent struct {
	messages int64
	refused  int64 // answers 429 and 503; each was sent again
	begin    time.Time
	took     time.Duration           // to the last answer
	latency  *hdrhistogram.Histogram // microseconds to the answer, in an open loop from the planned moment
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute/time.Microsecond), 3)
}

// intended is the planned moment of a message of an open loop. Latency counts
// from there: a generator that waits for a slow server would otherwise leave out
// the very requests that the slowness hits.
func intended(begin time.Time, rate float64, i int64) time.Time {
	return begin.Add(time.Duration(float64(i) / rate * float64(time.Second)))
}

// run sends the load and returns when the last message was answered.
func (l load) run(ctx context.Context) (*sent, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &sent{begin: time.Now(), latency: newHistogram()}
	next, err := l.plan(ctx, out.begin)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var messages, refused atomic.Int64
	var workers sync.WaitGroup
	for range l.connections {
		c, err := dial(l.to.address, l.to.path, l.to.apiKey)
		if err != nil {
			cancel(err)
			break
		}
		workers.Go(func() {
			defer c.close()
			m := newMessage(l.records, l.operation, l.created)
			latency := newHistogram()
			for {
				i, from, more := next()
				if !more {
					break
				}
				body := m.with(l.firstEvent+i, l.firstRecord+i*int64(l.records))
				again, err := insist(ctx, c, body)
				refused.Add(again)
				if err != nil {
					cancel(fmt.Errorf("send message %d: %w", i, err))
					break
				}
				now := time.Now()
				messages.Add(1)
				_ = latency.RecordValue(int64(now.Sub(from) / time.Microsecond)) // within bounds: requests have a timeout
				if l.acknowledged != nil {
					l.acknowledged(now)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			out.latency.Merge(latency)
		})
	}
	workers.Wait()
	out.took = time.Since(out.begin)
	out.messages, out.refused = messages.Load(), refused.Load()
	if err := context.Cause(ctx); err != nil {
		return out, err
	}
	return out, nil
}

// insist sends a body until it is acknowledged, and returns how often it was
// turned away.
func insist(ctx context.Context, c *client, body []byte) (refused int64, err error) {
	for {
		status, err := c.post(body)
		switch {
		case err != nil:
			return refused, err
		case status == http.StatusAccepted:
			return refused, nil
		case status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable:
			return refused, fmt.Errorf("the answer is %d", status)
		}
		refused++
		select {
		case <-ctx.Done():
			return refused, context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// plan returns the function from which the connections take the next message
// and the moment from which its latency counts.
func (l load) plan(ctx context.Context, begin time.Time) (func() (i int64, from time.Time, more bool), error) {
	if l.connections < 1 || l.records < 1 || l.count == 0 && l.limit == 0 {
		return nil, errors.New("a load needs connections, records and an end")
	}
	end := begin.Add(l.limit)
	over := func(i int64, now time.Time) bool {
		return ctx.Err() != nil || l.count > 0 && i >= l.count || l.limit > 0 && now.After(end)
	}
	var taken atomic.Int64
	if l.rate > 0 {
		return func() (int64, time.Time, bool) {
			i := taken.Add(1) - 1
			at := intended(begin, l.rate, i)
			if over(i, at) || !sleepUntil(ctx, at) {
				return 0, at, false
			}
			return i, at, true
		}, nil
	}
	return func() (int64, time.Time, bool) {
		i := taken.Add(1) - 1
		for l.room != nil && !l.room(i) {
			if over(i, time.Now()) || !sleepUntil(ctx, time.Now().Add(time.Millisecond)) {
				return 0, time.Time{}, false
			}
		}
		now := time.Now()
		return i, now, !over(i, now)
	}, nil
}

func sleepUntil(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
