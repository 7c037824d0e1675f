package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

// pausing lets the pipe keep to the pauses in its ledger.
func (b *pipe) pausing() {
	b.a.pauses = func(string) (whole *ledger.Pause, parts []ledger.Pause) {
		all, err := b.Pauses(b.Context())
		if err != nil {
			b.Error(err)
		}
		for _, p := range all {
			if p.Scope == ledger.ScopeDestination {
				whole = &p
			} else {
				parts = append(parts, p)
			}
		}
		return whole, parts
	}
}

func (b *pipe) pausedFor() string {
	if whole, _ := b.a.pauses("d"); whole != nil {
		return whole.Reason
	}
	return ""
}

// A destination that fails whatever it is given is left alone after a few calls.
// Probes let one write through at a time, and cost nothing.
func TestDestinationThatIsDown(t *testing.T) {
	for name, failure := range map[string]func(context.Context, destination.Batch) ([]destination.Result, error){
		"every record": answer(destination.Result{Kind: destination.Retry, Code: "503", Message: "words"}),
		"the call": func(context.Context, destination.Batch) ([]destination.Result, error) {
			return nil, &destination.Failure{Kind: destination.Retry, Code: "CONNECTION", Err: errors.New("words")}
		},
		"no answer": func(context.Context, destination.Batch) ([]destination.Result, error) {
			return nil, errors.New("words")
		},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			d := quick
			d.MaxBatchRecords, d.MaxElapsed = 4, 3*time.Second
			b := newPipe(t, d)
			b.pausing()
			batch := b.book(40)
			b.w.write = failure
			for i := 0; b.pausedFor() == "" && i < 100; i++ {
				_ = b.deliver(batch.ID, 1)
			}
			if b.pausedFor() != ledger.PauseDown || len(b.w.sizes) != circuitCalls {
				t.Fatalf("paused for %q after %d calls, want %d", b.pausedFor(), len(b.w.sizes), circuitCalls)
			}
			_, err := b.attempt("d", batch.ID)
			if e := applicationError(t, err); e.Type() != FailurePaused || len(b.w.sizes) != circuitCalls || strings.Contains(err.Error(), "words") {
				t.Fatalf("%v after %d calls", err, len(b.w.sizes))
			}
			time.Sleep(d.MaxElapsed + d.MaxElapsed/3) // what is down long enough would be given up
			for range 5 {
				if passed, err := NewProber(b.a).Probe(t.Context(), "d"); passed || err != nil {
					t.Fatalf("a probe passed: %v, %v", passed, err)
				}
				time.Sleep(2 * d.MaxInterval)
			}
			if n := len(b.w.sizes); n != circuitCalls+5 {
				t.Errorf("%d calls, want one for each of 5 probes after %d", n, circuitCalls)
			}
			if len(b.letters()) > 0 {
				t.Errorf("given up while the destination was down: %+v", b.letters())
			}
			b.w.write = func(_ context.Context, in destination.Batch) ([]destination.Result, error) { return delivered(in), nil }
			time.Sleep(3 * d.MaxInterval)
			if passed, err := NewProber(b.a).Probe(t.Context(), "d"); !passed || err != nil {
				t.Fatalf("the probe of one that is well: %v, %v", passed, err)
			}
			if err := b.Resume(t.Context(), "d"); err != nil {
				t.Fatal(err)
			}
			if err := b.deliverTo("d", batch.ID, 100); err != nil || len(b.letters()) > 0 {
				t.Errorf("%v, %d dead", err, len(b.letters()))
			}
		}))
	}
}

// One record that fails alone is no outage, however often it fails, unless the
// destination's own check says so.
func TestOneRecordIsNoOutage(t *testing.T) {
	for name, tt := range map[string]struct {
		check error
		want  string
	}{
		"no check":            {ErrNoCheck, ""},
		"the check passes":    {nil, ""},
		"the check fails too": {errors.New("no route to host"), ledger.PauseDown},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			b := newPipe(t, quick)
			b.pausing()
			b.a.check = func(context.Context, string) error { return tt.check }
			batch := b.book(1)
			b.w.write = answer(destination.Result{Kind: destination.Retry, Code: "500"})
			for i := 0; len(b.w.sizes) < 4*circuitCalls && b.pausedFor() == "" && i < 1000; i++ {
				_ = b.deliver(batch.ID, 1)
			}
			if got := b.pausedFor(); got != tt.want {
				t.Errorf("paused for %q, want %q", got, tt.want)
			}
		}))
	}
}

// What was down is not given up by the records that a probe happens to try.
func TestProbesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := quick
		d.MaxBatchRecords, d.MaxInterval = 1, time.Hour
		b := newPipe(t, d)
		b.pausing()
		b.book(3)
		since := time.Now().Add(-time.Minute)
		if err := b.Pause(t.Context(), ledger.Pause{Destination: "d", Reason: ledger.PauseDown, Since: since, Until: time.Now().Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		var tried []string
		b.w.write = func(_ context.Context, in destination.Batch) ([]destination.Result, error) {
			tried = append(tried, in.Records[0].Key[2])
			return answer(destination.Result{Kind: destination.Retry, Code: "500"})(nil, in)
		}
		for range 3 {
			if passed, err := NewProber(b.a).Probe(t.Context(), "d"); passed || err != nil {
				t.Fatal(passed, err)
			}
		}
		if len(tried) != 3 || tried[0] == tried[1] || tried[1] == tried[2] || tried[0] == tried[2] {
			t.Errorf("probes tried %v, want each once", tried)
		}
		if passed, err := NewProber(b.a).Probe(t.Context(), "d"); passed || err != nil || len(tried) != 3 {
			t.Errorf("a probe with nothing that is due: %v, %v", passed, err)
		}
	})
}

func TestProbeWithoutAnythingToWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipe(t, quick)
		var says error
		b.a.check = func(context.Context, string) error { return says }
		if passed, err := NewProber(b.a).Probe(t.Context(), "d"); !passed || err != nil {
			t.Errorf("passed %v, %v", passed, err)
		}
		says = errors.New("wrong password")
		if passed, err := NewProber(b.a).Probe(t.Context(), "d"); passed || !errors.Is(err, says) {
			t.Errorf("passed %v, %v", passed, err)
		}
	})
}

// A plugin between two lives is no call that failed, and does not hide that its
// lives end with every call.
func TestCrashLoopIsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := quick
		// What was lost is not due again before others had their turn.
		d.MaxBatchRecords, d.InitialInterval, d.MaxInterval = 2, time.Minute, time.Minute
		b := newPipe(t, d)
		b.pausing()
		batch := b.book(40)
		calls := 0
		b.w.write = func(context.Context, destination.Batch) ([]destination.Result, error) {
			if calls++; calls%2 == 0 {
				return nil, &destination.Failure{Kind: destination.Throttled, Code: destination.CodeRestarting, Until: time.Now().Add(time.Millisecond), Err: errors.New("restarts")}
			}
			return nil, errors.New("the process died")
		}
		reasons := make(map[string]bool)
		for i := 0; !reasons[ledger.PauseDown] && i < 200; i++ {
			_ = b.deliver(batch.ID, 1)
			reason := b.pausedFor()
			reasons[reason] = true
			if reason == ledger.PauseRestarting {
				if err := b.Resume(t.Context(), "d"); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !reasons[ledger.PauseRestarting] || !reasons[ledger.PauseDown] || calls > 2*circuitCalls {
			t.Errorf("paused for %v after %d calls", reasons, calls)
		}
		for range 2 {
			_, _ = NewProber(b.a).Probe(t.Context(), "d")
			if b.pausedFor() != ledger.PauseDown {
				t.Errorf("paused for %q after a probe", b.pausedFor())
			}
		}
	})
}

func TestScopedThrottleHoldsItsPartOnly(t *testing.T) {
	for name, scope := range map[string]destination.Scope{"object": destination.ScopeObject, "account": destination.ScopeAccount} {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " as a whole ", whole), inBubble(func(t *testing.T) {
				b := newPipe(t, quick)
				b.pausing()
				batch := b.bookModels("A", "B", "A", "B")
				until := time.Now().Add(20 * time.Hour)
				throttling := true
				calls := make(map[string]int)
				b.w.write = func(_ context.Context, in destination.Batch) ([]destination.Result, error) {
					calls[in.Object]++
					if !throttling || in.Object != "a" {
						return delivered(in), nil
					}
					if whole {
						return nil, &destination.Failure{Kind: destination.Throttled, Code: "429", Until: until, Scope: scope, Err: errors.New("words")}
					}
					return answer(destination.Result{Kind: destination.Throttled, Code: "429", Message: "words", Until: until, Scope: scope})(nil, in)
				}
				_, err := b.attempt("d", batch.ID)
				e := applicationError(t, err)
				if e.Type() != FailureNotDue || e.NextRetryDelay() > notDueMost {
					t.Fatalf("%v in %v", err, e.NextRetryDelay())
				}
				paused, parts := b.a.pauses("d")
				part := "a"
				if scope == destination.ScopeAccount {
					part = "" // the records of the pipe have no company
				}
				if paused != nil || len(parts) != 1 || parts[0].Part != part || parts[0].Scope != string(scope) || !parts[0].Until.Equal(until.Truncate(time.Microsecond)) {
					t.Fatalf("paused %v, parts %+v", paused, parts)
				}
				if scope == destination.ScopeObject && b.pending(batch.ID) != 2 {
					t.Errorf("%d wait, want those of the object", b.pending(batch.ID))
				}
				// What comes later is held without a call.
				n := calls["a"]
				next := b.bookModels("A")
				if _, err := b.attempt("d", next.ID); applicationError(t, err).Type() != FailureNotDue || calls["a"] != n {
					t.Errorf("%v after %d calls, want %d", err, calls["a"], n)
				}
				throttling = false
				if err := b.Resume(t.Context(), "d"); err != nil {
					t.Fatal(err)
				}
				for _, id := range []int64{batch.ID, next.ID} {
					if err := b.deliverTo("d", id, 5); err != nil || len(b.letters()) > 0 {
						t.Errorf("%v, %d dead", err, len(b.letters()))
					}
				}
			}))
		}
	}
}

// What Temporal shows of a batch whose destination is paused has no words of the
// destination.
func TestPlanSaysWhyNothingIsTried(t *testing.T) {
	until := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tt := range map[string]struct {
		pause ledger.Pause
		want  string
	}{
		"not":       {ledger.Pause{}, ""},
		"throttled": {ledger.Pause{Destination: "d", Reason: ledger.PauseThrottled, Message: "words", Until: until}, "throttled until 2030-01-02T03:04:05Z"},
		"operator":  {ledger.Pause{Destination: "d", Reason: ledger.PauseOperator, Message: "words"}, "operator"},
		"down":      {ledger.Pause{Destination: "d", Reason: ledger.PauseDown, Message: "words", Until: until}, "down, probed from time to time"},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			b := newPipe(t, quick)
			b.pausing()
			batch := b.book(1)
			if tt.pause.Destination != "" {
				if err := b.Pause(t.Context(), tt.pause); err != nil {
					t.Fatal(err)
				}
			}
			got := b.apply(batch.ID)
			if len(got.Destinations) != 1 || got.Destinations[0].Paused != tt.want {
				t.Errorf("%+v, want paused %q", got.Destinations, tt.want)
			}
		}))
	}
}
