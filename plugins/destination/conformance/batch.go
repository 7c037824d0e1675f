package conformance

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// patience is how long a cancelled Write may still take.
const patience = time.Second

// tries is how often a cancellation may be tried before it counts as late.
const tries = 3

func batchAtLimit(t T, s *suite) {
	d := s.start(t)
	n := s.limit()
	deliver(t, d, numbered(n))
	s.wantLiving(t, n)
}

// limit is the largest batch that Sluice sends.
func (s *suite) limit() int { return cmp.Or(s.description.MaxBatchRecords, 1000) }

// Sluice sends no more than announced, but a record must not be lost for it.
func batchOverLimit(t T, s *suite) {
	d := s.start(t)
	batch := numbered(s.limit() + 1)
	results := judge(t, d, batch)
	delivered := 0
	for i, r := range results {
		switch r.Kind {
		case destination.Delivered:
			delivered++
		case destination.Retry, destination.Throttled:
		default:
			t.Fatalf("record %d: %v %s %s, want delivered or retry", i+1, r.Kind, r.Code, r.Message)
		}
	}
	s.wantLiving(t, delivered)
	if delivered == len(results) {
		s.note("all are delivered")
	} else {
		s.note("what is too much is put off")
	}
}

func numbered(n int) destination.Batch {
	b := records()
	for i := range n {
		b.Records = append(b.Records, put(fmt.Sprintf("r%06d", i), 1, fmt.Sprintf(`{"memo":"record %d","units":%d}`, i, i)))
	}
	return b
}

// Writers meet at a place that none of them has seen before.
func concurrent(t T, s *suite) {
	d := s.start(t)
	const writers, each = 4, 25
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var b = records()
			for i := range each {
				b.Records = append(b.Records, put(fmt.Sprintf("w%d-%d", w, i), 1, fmt.Sprintf(`{"memo":"m","field_%d":%d}`, w, i)))
			}
			// A conflict between writers may end in Retry, but not for long.
			for attempt := 0; len(b.Records) > 0; attempt++ {
				results, err := d.Write(t.Context(), b)
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				waiting := b.Records[:0:0]
				for i, r := range results {
					switch {
					case r.Kind == destination.Delivered:
					case r.Kind == destination.Retry && attempt < 10:
						waiting = append(waiting, b.Records[i])
					default:
						t.Errorf("writer %d: %v %s %s", w, r.Kind, r.Code, r.Message)
						return
					}
				}
				b.Records = waiting
			}
		})
	}
	wg.Wait()
	s.wantLiving(t, writers*each)
}

// A cancelled Write returns soon, and leaves nothing that the next one minds.
func cancelled(t T, s *suite) {
	d := s.start(t)
	batch := numbered(s.limit())
	for name, pause := range map[string]time.Duration{"before": 0, "at once": time.Microsecond, "soon": 5 * time.Millisecond} {
		// A machine that is busy may be late, but not every time.
		for try := 1; ; try++ {
			took, err := cancelledAfter(t, d, batch, pause)
			if err == nil || took <= patience {
				break
			}
			if try == tries {
				t.Errorf("cancelled %s: returned after %v, want within %v", name, took, patience)
				break
			}
		}
	}
	deliver(t, d, batch)
	s.wantLiving(t, len(batch.Records))
}

// cancelledAfter writes, cancels that after a pause, and says how long after the
// cancellation it returned what.
func cancelledAfter(t T, d destination.Destination, batch destination.Batch, pause time.Duration) (took time.Duration, err error) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	at := make(chan time.Time, 1)
	end := func() { at <- time.Now(); cancel() }
	var timer *time.Timer
	if pause == 0 {
		end()
	} else {
		timer = time.AfterFunc(pause, end)
	}
	results, err := d.Write(ctx, batch)
	returned := time.Now()
	if err == nil && len(results) != len(batch.Records) {
		t.Errorf("cancelled after %v: no error and %d results", pause, len(results))
	}
	if timer != nil && timer.Stop() {
		return 0, err // it was not cancelled
	}
	return returned.Sub(<-at), err
}
