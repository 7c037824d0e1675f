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

func (s *fakePauses) ExtendPause(_ context.Context, p ledger.Pause, until time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pauses[p.Destination] != p {
		return false, nil
	}
	p.Until = until
	s.pauses[p.Destination] = p
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

// probeFunc is a Prober that waits longer and longer.
type probeFunc func(ctx context.Context, destination string) (bool, error)

func (f probeFunc) Probe(ctx context.Context, destination string) (bool, error) {
	return f(ctx, destination)
}

func (probeFunc) ProbeTime(string) time.Duration { return 30 * time.Second }

func (probeFunc) ProbeWait(p ledger.Pause, now time.Time) time.Duration {
	return min(now.Sub(p.Since), 5*time.Minute)
}

// keep runs a test in a bubble with pauses that n instances keep.
func keep(t *testing.T, probe probeFunc, test func(t *testing.T, s *fakePauses, p *Pauses, q *fakeQueues)) {
	keepBy(t, 1, probe, test)
}

func keepBy(t *testing.T, n int, probe probeFunc, test func(t *testing.T, s *fakePauses, p *Pauses, q *fakeQueues)) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakePauses{pauses: make(map[string]ledger.Pause)}
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		var first *Pauses
		q := &fakeQueues{polled: make(map[string]bool)}
		for range n {
			p, err := NewPauses(t.Context(), s, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			own := q
			if first != nil {
				own = &fakeQueues{polled: make(map[string]bool)}
			} else {
				first = p
			}
			done.Go(func() { p.Run(ctx, own, probe) })
		}
		test(t, s, first, q)
		cancel()
		done.Wait()
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

// A destination that is down or refuses its settings is probed less and less
// often, by one of several instances, and a probe that hangs holds up nobody.
func TestPausesEndWithAProbe(t *testing.T) {
	for _, reason := range []string{ledger.PauseMisconfigured, ledger.PauseDown} {
		t.Run(reason, func(t *testing.T) {
			var mu sync.Mutex
			var probes []time.Duration
			var began time.Time
			under, most := 0, 0
			well := false
			probe := func(ctx context.Context, destination string) (bool, error) {
				mu.Lock()
				n := len(probes)
				probes = append(probes, time.Since(began))
				ok := well
				under++
				most = max(most, under)
				mu.Unlock()
				defer func() {
					mu.Lock()
					under--
					mu.Unlock()
				}()
				if n == 1 {
					<-ctx.Done() // hangs
					return false, ctx.Err()
				}
				time.Sleep(time.Second)
				return ok && destination == "a", nil
			}
			keepBy(t, 3, probe, func(t *testing.T, s *fakePauses, p *Pauses, q *fakeQueues) {
				began = time.Now()
				s.set(ledger.Pause{Destination: "a", Reason: reason}) // without an end, as older instances do
				time.Sleep(70 * time.Second)
				if !q.is("b") || q.is("a") {
					t.Error("a probe that hangs holds up others")
				}
				time.Sleep(30 * time.Minute)
				mu.Lock()
				if len(probes) < 6 || len(probes) > 12 || probes[0] < probeFirst {
					t.Errorf("probed at %v", probes)
				}
				for i := 2; i < len(probes); i++ {
					if gap := probes[i] - probes[i-1]; gap > 5*time.Minute+30*time.Second+4*pausePoll {
						t.Errorf("nothing was probed for %v", gap)
					}
				}
				if most > 1 {
					t.Errorf("%d probes at a time", most)
				}
				well = true
				mu.Unlock()
				time.Sleep(5*time.Minute + time.Second + 4*pausePoll)
				if !q.is("a") || p.Paused("a") {
					t.Error("paused after a probe that passed")
				}
			})
		})
	}
}

func TestPartsArePausedByThemselves(t *testing.T) {
	keep(t, nil, func(t *testing.T, s *fakePauses, p *Pauses, q *fakeQueues) {
		s.set(ledger.Pause{Destination: "a", Scope: ledger.ScopeObject, Part: "invoices", Reason: ledger.PauseThrottled, Until: time.Now().Add(time.Minute)})
		time.Sleep(2 * pausePoll)
		if whole, parts := p.Of("a"); whole != nil || len(parts) != 1 || !q.is("a") || p.Paused("a") {
			t.Errorf("paused as a whole: %v, parts %v", whole, parts)
		}
		time.Sleep(time.Minute + 2*pausePoll)
		if _, parts := p.Of("a"); len(parts) != 0 {
			t.Errorf("still paused: %v", parts)
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
