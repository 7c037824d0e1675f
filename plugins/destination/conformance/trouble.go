package conformance

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// fault makes the system misbehave, or ends a case that cannot be run.
func (s *suite) fault(t T, f Fault) bool {
	t.Helper()
	if s.Fault == nil || !s.Fault(t, s.settings, f) {
		s.notRun("the system behind it cannot be made to: " + string(f.Kind))
		return false
	}
	t.Cleanup(func() { s.Fault(t, s.settings, Fault{Kind: FaultNone}) }) // the next case may share the system
	return true
}

// heal ends the fault.
func (s *suite) heal(t T) {
	t.Helper()
	if !s.Fault(t, s.settings, Fault{Kind: FaultNone}) {
		t.Fatal("the fault cannot be ended")
	}
}

// waits checks that records which are not delivered are throttled, and returns
// the latest end.
func waits(t T, results []destination.Result) (until time.Time) {
	t.Helper()
	throttled := 0
	for i, r := range results {
		switch {
		case r.Kind == destination.Delivered:
		case r.Kind != destination.Throttled:
			t.Fatalf("record %d: %v %s %s, want throttled", i+1, r.Kind, r.Code, r.Message)
		case r.Until.IsZero():
			t.Fatalf("record %d is throttled without an end", i+1)
		default:
			throttled++
			if r.Until.After(until) {
				until = r.Until
			}
		}
	}
	if throttled == 0 {
		t.Fatal("no record is throttled")
	}
	return until
}

func throttle(t T, s *suite) {
	const wait = 2 * time.Second
	d := s.start(t)
	deliver(t, d, records(put("before", 1, `{"memo":"b"}`)))
	if !s.fault(t, Fault{Kind: FaultThrottle, RetryAfter: wait}) {
		return
	}
	batch := numbered(10)
	begun := time.Now()
	until := waits(t, judge(t, d, batch))
	// A date in a header has no fractions of a second.
	if early, late := begun.Add(wait-time.Second), time.Now().Add(wait+time.Second); until.Before(early) || until.After(late) {
		t.Fatalf("asked to wait %v, it waits %v", wait, until.Sub(begun))
	}
	s.heal(t)
	select {
	case <-time.After(time.Until(until)):
	case <-t.Context().Done():
		t.Fatal("cancelled")
	}
	deliver(t, d, batch)
	s.wantLiving(t, len(batch.Records)+1)
}

func throttleWithoutEnd(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("before", 1, `{"memo":"b"}`)))
	if !s.fault(t, Fault{Kind: FaultThrottle}) {
		return
	}
	batch := numbered(10)
	begun := time.Now()
	until := waits(t, judge(t, d, batch))
	if until.Before(begun) || until.After(begun.Add(25*time.Hour)) {
		t.Errorf("it waits until %v", until)
	}
	s.heal(t)
	d.close(t)
	deliver(t, s.start(t), batch)
	s.wantLiving(t, len(batch.Records)+1)
}

func tokenExpiry(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("before", 1, `{"memo":"b"}`)))
	if !s.fault(t, Fault{Kind: FaultExpiry, After: 1}) {
		return
	}
	batch := numbered(s.limit())
	left := batch
	// One that was under way with the old token may have to go once more.
	for range 2 {
		left = s.undelivered(t, left, judge(t, d, left))
	}
	if len(left.Records) > 0 {
		t.Errorf("%d of %d records are not delivered with a new token", len(left.Records), len(batch.Records))
	}
	s.wantLiving(t, len(batch.Records)+1)
}

// undelivered keeps what has to be retried; anything worse is a failure.
func (s *suite) undelivered(t T, b destination.Batch, results []destination.Result) destination.Batch {
	t.Helper()
	left := b
	left.Records = nil
	for i, r := range results {
		switch r.Kind {
		case destination.Delivered:
		case destination.Retry:
			left.Records = append(left.Records, b.Records[i])
		default:
			t.Fatalf("record %d: %v %s %s, want delivered or retry", i+1, r.Kind, r.Code, r.Message)
		}
	}
	return left
}

func outage(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("before", 1, `{"memo":"b"}`)))
	if !s.fault(t, Fault{Kind: FaultOutage}) {
		return
	}
	batch := numbered(10)
	if left := s.undelivered(t, batch, judge(t, d, batch)); len(left.Records) != len(batch.Records) {
		t.Errorf("%d records are delivered to a system that is down", len(batch.Records)-len(left.Records))
	}
	s.heal(t)
	deliver(t, d, batch)
	s.wantLiving(t, len(batch.Records)+1)
}

func hang(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("before", 1, `{"memo":"b"}`)))
	if !s.fault(t, Fault{Kind: FaultHang}) {
		return
	}
	defer s.heal(t)
	// A machine that is busy may be late, but not every time.
	for try := 1; !s.hangs(t, d); try++ {
		if try == tries {
			t.Errorf("the write did not return within %v of its cancellation", patience)
			return
		}
		s.Fault(t, s.settings, Fault{Kind: FaultHang})
	}
}

// hangs cancels a write to a system that hangs, and reports whether it returned
// soon. If not, the system is healed.
func (s *suite) hangs(t T, d destination.Destination) (soon bool) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	time.AfterFunc(100*time.Millisecond, cancel)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		results, err := d.Write(ctx, numbered(10))
		for _, r := range results {
			if err == nil && r.Kind != destination.Retry && r.Kind != destination.Throttled {
				t.Errorf("a record that hangs: %v %s", r.Kind, r.Message)
			}
		}
	}()
	<-ctx.Done()
	select {
	case <-returned:
		return true
	case <-time.After(patience):
		s.heal(t)
		<-returned
		return false
	}
}
