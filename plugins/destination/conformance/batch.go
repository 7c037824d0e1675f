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
		ctx, cancel := context.WithCancel(t.Context())
		if pause == 0 {
			cancel()
		} else {
			time.AfterFunc(pause, cancel)
		}
		begun := time.Now()
		results, err := d.Write(ctx, batch)
		took := time.Since(begun) - pause
		cancel()
		if err == nil && len(results) != len(batch.Records) {
			t.Errorf("cancelled %s: no error and %d results", name, len(results))
		}
		if ctx.Err() != nil && err != nil && took > patience {
			t.Errorf("cancelled %s: returned after %v, want within %v", name, took, patience)
		}
	}
	deliver(t, d, batch)
	s.wantLiving(t, len(batch.Records))
}
