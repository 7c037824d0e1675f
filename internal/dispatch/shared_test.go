package dispatch

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

// fakeShared is a ledger of several instances, as far as they agree by it.
type fakeShared struct {
	mu      sync.Mutex
	leader  bool
	held    time.Time // until when somebody leads
	asked   int
	applied map[int64]bool
	waiting map[int64]map[string]int
}

func newFakeShared() *fakeShared {
	return &fakeShared{leader: true, applied: make(map[int64]bool), waiting: make(map[int64]map[string]int)}
}

func (s *fakeShared) lead(leader bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leader = leader
}

func (s *fakeShared) Lead(_ context.Context, _ string, hold time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leader {
		s.held = time.Now().Add(hold)
	}
	return s.leader, nil
}

// free reports whether another instance may lead.
func (s *fakeShared) free() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().After(s.held)
}

func (s *fakeShared) set(batch int64, waiting map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied[batch], s.waiting[batch] = true, waiting
}

func (s *fakeShared) Progress(_ context.Context, batch int64) (bool, map[string]int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.applied[batch], maps.Clone(s.waiting[batch]), nil
}

// questions is how often Progress was asked.
func (s *fakeShared) questions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func runShared(t *testing.T, s *fakeShared) *fixture {
	return run(t, func(o *Options) { o.Shared, o.MaxInFlight, o.MaxEvents = s, 1, 1 })
}

// Another process works on the workflow: its slot is free when the ledger says
// that the first pass is over.
func TestFirstPassOfAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeShared()
		f := runShared(t, s)
		defer f.stop()
		f.store.append(3)
		s.set(1, map[string]int{"warehouse": 2, "gone": 1})
		time.Sleep(firstPass / 2)
		f.started(t, 1, "while the first delivery is under way")
		s.set(1, map[string]int{"gone": 1})
		time.Sleep(watchAtMost)
		f.started(t, 2, "when everything that can be delivered is")
		s.set(2, nil)
		time.Sleep(2 * watchFirst)
		f.started(t, 3, "when a batch had nothing to deliver")
	})
}

func TestSlowDestinationOfAnotherProcessKeepsNoSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeShared()
		f := runShared(t, s)
		defer f.stop()
		for batch := range int64(3) {
			s.set(batch+1, map[string]int{"hanging": 1})
		}
		f.store.append(3)
		time.Sleep(firstPass + 2*watchAtMost)
		synctest.Wait()
		if got := len(f.starter.sizes()); got != 3 {
			t.Fatalf("%d workflows, want no waiting for a destination that is known to be slow", got)
		}
		time.Sleep(2 * remembered)
		before := s.questions()
		time.Sleep(remembered)
		if s.questions() != before {
			t.Error("the ledger is asked about old batches for ever")
		}
	})
}

// Only the leader sweeps, and not what another instance is just starting.
func TestOneInstanceSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeShared()
		s.lead(false)
		f := runShared(t, s)
		defer f.stop()
		restarted := func() []int64 {
			synctest.Wait()
			f.starter.mu.Lock()
			defer f.starter.mu.Unlock()
			return slices.Clone(f.starter.restarted)
		}
		f.store.mu.Lock() // claimed by an instance that died
		f.store.batches = append(f.store.batches, ledger.Batch{ID: 77, Events: []ledger.EventRef{{Seq: 1, ID: "x"}}})
		f.store.mu.Unlock()
		time.Sleep(10 * settleTime)
		if got := restarted(); len(got) != 0 {
			t.Fatalf("an instance that does not lead started %v", got)
		}
		s.lead(true)
		time.Sleep(f.d.sweepEvery)
		if got := restarted(); len(got) != 0 {
			t.Fatalf("a batch was taken from an instance that may be about to start it: %v", got)
		}
		time.Sleep(2 * settleTime)
		if got := restarted(); !slices.Contains(got, 77) {
			t.Errorf("restarted %v, want the batch that an instance left behind", got)
		}
		if len(f.d.seen) == 0 {
			t.Error("nothing is remembered of open batches")
		}
		f.store.finish()
		time.Sleep(2 * settleTime)
		synctest.Wait()
		if len(f.d.seen) != 0 {
			t.Errorf("%v is remembered of batches that are done", f.d.seen)
		}
	})
}

// An instance that Temporal does not answer lets another one sweep: it would keep
// the batches that it claimed, and those of instances that died, until it is well.
func TestInstanceWithoutTemporalDoesNotLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeShared()
		f := runShared(t, s)
		defer f.stop()
		time.Sleep(3 * f.d.sweepEvery)
		synctest.Wait()
		if s.free() {
			t.Fatal("nobody leads while all is well")
		}
		away := func(down bool) {
			f.starter.mu.Lock()
			defer f.starter.mu.Unlock()
			f.starter.down = down
		}
		away(true)
		f.store.append(1)
		for range 6 {
			time.Sleep(f.d.sweepEvery)
			synctest.Wait()
		}
		if !s.free() {
			t.Error("it leads, and can start nothing")
		}
		away(false)
		time.Sleep(2 * f.d.sweepEvery)
		synctest.Wait()
		if s.free() {
			t.Error("it does not lead again")
		}
	})
}

// Dead letters that are retried are a batch that nobody has claimed.
func TestRedrivenBatchIsStartedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := runShared(t, newFakeShared())
		defer f.stop()
		synctest.Wait()
		f.store.mu.Lock()
		f.store.batches = append(f.store.batches, ledger.Batch{ID: 5})
		f.store.mu.Unlock()
		f.d.Wake()
		synctest.Wait()
		f.starter.mu.Lock()
		defer f.starter.mu.Unlock()
		if !slices.Equal(f.starter.restarted, []int64{5}) {
			t.Errorf("restarted %v", f.starter.restarted)
		}
	})
}
