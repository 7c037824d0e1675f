package worker

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

// fakePauses are the pauses of a ledger, in memory.
type fakePauses struct {
	mu     sync.Mutex
	pauses map[string]ledger.Pause
	err    error
}

func (s *fakePauses) set(p ledger.Pause) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Since = time.Now()
	s.pauses[p.Destination] = p
}

func (s *fakePauses) Pauses(context.Context) ([]ledger.Pause, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.pauses)), s.err
}

func (s *fakePauses) EndPause(_ context.Context, p ledger.Pause) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pauses[p.Destination] != p {
		return false, nil
	}
	delete(s.pauses, p.Destination)
	return true, nil
}

func (s *fakePauses) Resume(_ context.Context, destination string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pauses, destination)
	return nil
}

// fakeQueues know which destinations are polled.
type fakeQueues struct {
	mu     sync.Mutex
	polled map[string]bool
}

func (q *fakeQueues) names() []string { return []string{"a", "b"} }

func (q *fakeQueues) Pause(name string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.polled[name] = false
}

func (q *fakeQueues) Resume(name string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.polled[name] = true
	return nil
}

func (q *fakeQueues) is(name string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.polled[name]
}

// checkFunc is a Checker.
type checkFunc func(ctx context.Context, destination string) error

func (f checkFunc) Check(ctx context.Context, destination string) error { return f(ctx, destination) }

// keep runs a test in a bubble with pauses that are kept.
func keep(t *testing.T, check checkFunc, test func(t *testing.T, s *fakePauses, p *Pauses, q *fakeQueues)) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakePauses{pauses: make(map[string]ledger.Pause)}
		p, err := NewPauses(t.Context(), s, check, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		q := &fakeQueues{polled: make(map[string]bool)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.Run(ctx, q) }()
		test(t, s, p, q)
		cancel()
		<-done
	})
}

func TestPauseOfAnotherInstanceIsSeen(t *testing.T) {
	keep(t, nil, func(t *testing.T, s *fakePauses, p *Pauses, q *fakeQueues) {
		time.Sleep(pausePoll + time.Millisecond)
		if !q.is("a") || !q.is("b") {
			t.Fatal("not polled without a pause")
		}
		s.set(ledger.Pause{Destination: "a", Reason: ledger.PauseOperator})
		time.Sleep(pausePoll)
		if q.is("a") || !p.Paused("a") || !q.is("b") || p.Paused("b") {
			t.Error("the pause is not held, or holds others")
		}
		if err := s.Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pausePoll)
		if !q.is("a") || p.Paused("a") {
			t.Error("paused after it was resumed")
		}
	})
}

func TestOwnPauseIsSeenAtOnce(t *testing.T) {
	keep(t, nil, func(t *testing.T, s *fakePauses, p *Pauses, q *fakeQueues) {
		time.Sleep(pausePoll + time.Millisecond)
		s.set(ledger.Pause{Destination: "a", Reason: ledger.PauseOperator})
		if err := p.Refresh(t.Context()); err != nil || !p.Paused("a") {
			t.Errorf("paused: %v, %v", p.Paused("a"), err)
		}
		synctest.Wait()
		if q.is("a") {
			t.Error("still polled")
		}
	})
}

func TestPausesEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		pause ledger.Pause
		after time.Duration // 0: never
	}{
		"throttled":                       {ledger.Pause{Reason: ledger.PauseThrottled}, time.Minute},
		"of another kind":                 {ledger.Pause{Reason: "circuit"}, time.Minute},
		"by an operator until a moment":   {ledger.Pause{Reason: ledger.PauseOperator}, time.Minute},
		"by an operator without a moment": {ledger.Pause{Reason: ledger.PauseOperator}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			keep(t, nil, func(t *testing.T, s *fakePauses, p *Pauses, q *fakeQueues) {
				tt.pause.Destination = "a"
				if tt.after > 0 {
					tt.pause.Until = time.Now().Add(tt.after)
				}
				s.set(tt.pause)
				time.Sleep(time.Minute - time.Millisecond)
				if q.is("a") || !p.Paused("a") {
					t.Error("polled before it is over")
				}
				time.Sleep(2 * pausePoll)
				if over := tt.after > 0; q.is("a") != over || p.Paused("a") == over {
					t.Errorf("polled %v, paused %v", q.is("a"), p.Paused("a"))
				}
			})
		})
	}
}

// A destination with wrong settings is tested less and less often, and one test
// that hangs holds up nobody.
func TestMisconfiguredIsProbed(t *testing.T) {
	var mu sync.Mutex
	var probes []time.Duration
	var began time.Time
	well := false
	check := func(ctx context.Context, destination string) error {
		mu.Lock()
		n := len(probes)
		probes = append(probes, time.Since(began))
		ok := well
		mu.Unlock()
		if n == 1 {
			<-ctx.Done() // hangs
			return ctx.Err()
		}
		if !ok || destination != "a" {
			return errors.New("wrong password")
		}
		return nil
	}
	keep(t, check, func(t *testing.T, s *fakePauses, p *Pauses, q *fakeQueues) {
		began = time.Now()
		s.set(ledger.Pause{Destination: "a", Reason: ledger.PauseMisconfigured})
		time.Sleep(70 * time.Second)
		if !q.is("b") || q.is("a") {
			t.Error("a test that hangs holds up others")
		}
		time.Sleep(30 * time.Minute)
		mu.Lock()
		if len(probes) < 6 || len(probes) > 12 || probes[0] < probeFirst {
			t.Errorf("tested at %v", probes)
		}
		for i := 2; i < len(probes); i++ {
			if gap := probes[i] - probes[i-1]; gap > probeAtMost+2*pausePoll+probeDeadline {
				t.Errorf("nothing was tested for %v", gap)
			}
		}
		well = true
		mu.Unlock()
		time.Sleep(probeAtMost + 2*pausePoll)
		if !q.is("a") || p.Paused("a") {
			t.Error("paused after a test that passed")
		}
	})
}

func TestLedgerThatDoesNotAnswerChangesNothing(t *testing.T) {
	keep(t, nil, func(t *testing.T, s *fakePauses, p *Pauses, q *fakeQueues) {
		s.set(ledger.Pause{Destination: "a", Reason: ledger.PauseOperator})
		time.Sleep(2 * pausePoll)
		s.mu.Lock()
		s.err, s.pauses = errors.New("away"), nil
		s.mu.Unlock()
		time.Sleep(time.Minute)
		if !p.Paused("a") || q.is("a") {
			t.Error("resumed by a ledger that does not answer")
		}
		if err := p.Refresh(t.Context()); err == nil {
			t.Error("no error")
		}
	})
}
