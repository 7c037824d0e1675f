package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// fakeStore hands out events as batches, in memory.
type fakeStore struct {
	mu      sync.Mutex
	waiting []ledger.EventRef
	batches []ledger.Batch
	done    int // of the batches
	pending map[int64]map[string]int
	signal  chan struct{}
}

func newFakeStore() *fakeStore {
	return &fakeStore{signal: make(chan struct{}, 1), pending: make(map[int64]map[string]int)}
}

func (s *fakeStore) append(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		seq := int64(len(s.waiting) + 1000*len(s.batches) + 1)
		s.waiting = append(s.waiting, ledger.EventRef{Seq: seq, Source: "rootfi", ID: fmt.Sprint("e", seq)})
	}
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

func (s *fakeStore) Signal() <-chan struct{} { return s.signal }

func (s *fakeStore) ClaimBatch(_ context.Context, max int) (ledger.Batch, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(max, len(s.waiting))
	if n == 0 {
		return ledger.Batch{}, false, nil
	}
	b := ledger.Batch{ID: int64(len(s.batches) + 1), Events: s.waiting[:n]}
	s.waiting = s.waiting[n:]
	s.batches = append(s.batches, b)
	return b, true, nil
}

func (s *fakeStore) Undone(_ context.Context, after int64, limit int) ([]ledger.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []ledger.Batch
	for _, b := range s.batches[s.done:] {
		if b.ID > after && len(out) < limit {
			out = append(out, b)
		}
	}
	return out, nil
}

// finish makes everything done.
func (s *fakeStore) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = len(s.batches)
}

func (s *fakeStore) Pending(_ context.Context, batch int64) (map[string]int, error) {
	return s.pending[batch], nil
}

// fakeStarter records starts; fails while down.
type fakeStarter struct {
	mu        sync.Mutex
	down      bool
	refused   int64 // batch that it never takes
	running   map[int64]bool
	starts    []ledger.Batch
	restarted []int64
}

func (s *fakeStarter) Start(_ context.Context, b ledger.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		return errors.New("no route to host")
	case s.refused == b.ID:
		return serviceerror.NewInvalidArgument("the id of the workflow is too long")
	case s.running[b.ID]:
		return serviceerror.NewWorkflowExecutionAlreadyStarted("is running", "", "")
	}
	if s.running == nil {
		s.running = make(map[int64]bool)
	}
	s.running[b.ID] = true
	s.starts = append(s.starts, b)
	return nil
}

func (s *fakeStarter) Restart(ctx context.Context, b ledger.Batch) (bool, error) {
	err := s.Start(ctx, b)
	if isAlreadyStarted(err) {
		return false, nil
	}
	if err == nil {
		s.restarted = append(s.restarted, b.ID)
	}
	return err == nil, err
}

func (s *fakeStarter) sizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int
	for _, b := range s.starts {
		out = append(out, len(b.Events))
	}
	return out
}

type fixture struct {
	store   *fakeStore
	starter *fakeStarter
	passes  *Passes
	d       *Dispatcher
	stop    func()
}

// run starts a dispatcher inside the caller's synctest bubble.
func run(t *testing.T, change func(*Options)) *fixture {
	f := &fixture{store: newFakeStore(), starter: &fakeStarter{}, passes: NewPasses(func(string) bool { return false })}
	o := Options{
		Store: f.store, Starter: f.starter, Passes: f.passes, Logger: slog.New(slog.DiscardHandler),
		Configured: func(d string) bool { return d != "gone" }, MaxEvents: 100, MaxInFlight: 2,
	}
	if change != nil {
		change(&o)
	}
	f.d = New(o)
	return f.begin(t)
}

func (f *fixture) begin(t *testing.T) *fixture {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.d.Run(ctx) }()
	f.stop = func() { cancel(); <-done }
	return f
}

// started looks how many workflows there are when nothing more happens by itself.
func (f *fixture) started(t *testing.T, want int, when string) {
	t.Helper()
	synctest.Wait()
	if got := len(f.starter.sizes()); got != want {
		t.Fatalf("%d workflows %s, want %d", got, when, want)
	}
}

func TestOneEventOneWorkflowWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, nil)
		defer f.stop()
		for range 3 {
			f.store.append(1)
			synctest.Wait()
			f.passes.Applied(int64(len(f.starter.sizes())), nil) // first pass over
			synctest.Wait()
		}
		if got := f.starter.sizes(); !slices.Equal(got, []int{1, 1, 1}) {
			t.Errorf("workflows of %v events, want one each", got)
		}
	})
}

func TestEventsGatherWhileFirstPassesAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, nil)
		defer f.stop()
		f.store.append(1)
		synctest.Wait()
		f.store.append(1)
		synctest.Wait() // both slots are taken
		f.store.append(250)
		synctest.Wait()
		if got := f.starter.sizes(); !slices.Equal(got, []int{1, 1}) {
			t.Fatalf("started %v with two slots", got)
		}
		f.passes.Applied(1, []string{"warehouse"})
		synctest.Wait()
		if got := f.starter.sizes(); len(got) != 2 {
			t.Fatalf("a slot was freed before the first attempt: %v", got)
		}
		f.passes.Attempted(1, "warehouse", true)
		synctest.Wait()
		if got := f.starter.sizes(); !slices.Equal(got, []int{1, 1, 100}) {
			t.Errorf("started %v, want the next workflow to take all it may", got)
		}
	})
}

func TestSlowDestinationKeepsNoSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, func(o *Options) { o.MaxInFlight = 1; o.MaxEvents = 1 })
		defer f.stop()
		f.store.append(1)
		synctest.Wait()
		f.passes.Applied(1, []string{"hanging"})
		f.store.append(2)
		time.Sleep(firstPass + time.Millisecond)
		synctest.Wait()
		if got := len(f.starter.sizes()); got != 2 {
			t.Fatalf("%d workflows, want the second once the first pass timed out", got)
		}
		f.passes.Applied(2, []string{"hanging"}) // known to be slow by now: no waiting
		synctest.Wait()
		if got := len(f.starter.sizes()); got != 3 {
			t.Errorf("%d workflows, want the third at once", got)
		}
	})
}

// Beside a quick destination a hanging one is slow at once.
func TestStragglersKeepNoSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, func(o *Options) { o.MaxInFlight = 1; o.MaxEvents = 1 })
		defer f.stop()
		both := []string{"quick", "straggling"}
		f.store.append(5)
		synctest.Wait()
		f.passes.Applied(1, both)
		time.Sleep(firstPass / 2)
		f.passes.Attempted(1, "quick", true)
		time.Sleep(straggler - time.Millisecond)
		f.started(t, 1, "while the other may still come")
		time.Sleep(time.Millisecond)
		f.started(t, 2, "without the other")
		f.passes.Applied(2, both)
		f.passes.Attempted(2, "quick", true)
		f.started(t, 3, "beside one that is known to be slow")
		// An attempt that is over later than that makes it no quicker.
		time.Sleep(straggler)
		f.passes.Attempted(2, "straggling", true)
		f.passes.Applied(3, both)
		f.passes.Attempted(3, "quick", true)
		f.started(t, 4, "beside one that is still slow")
		f.passes.Attempted(3, "straggling", true)
		f.passes.Applied(4, both)
		f.passes.Attempted(4, "quick", true)
		f.started(t, 4, "beside one that was quick again")
		f.passes.Attempted(4, "straggling", true)
		// Where records gather no attempt is made yet.
		f.passes.Applied(5, []string{"gathering", "straggling"})
		f.passes.Attempted(5, "gathering", false)
		f.store.append(1)
		time.Sleep(firstPass - time.Millisecond)
		f.started(t, 5, "beside one that wrote nothing yet")
		time.Sleep(time.Millisecond)
		f.started(t, 6, "after a second")
	})
}

func TestDestinationThatRecoversIsWaitedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPasses(func(string) bool { return false })
		over := p.open(1)
		p.Applied(1, []string{"d"})
		p.wait(t.Context(), 1, over) // times out: d is slow
		p.open(2)
		p.Applied(2, []string{"d"})
		p.close(2)
		p.Attempted(2, "d", true) // quick
		over = p.open(3)
		p.Applied(3, []string{"d"})
		select {
		case <-over:
			t.Error("the pass was over without an attempt")
		default:
		}
	})
}

func TestTemporalAwayOnlyGrowsTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, nil)
		defer f.stop()
		f.starter.down = true
		f.store.append(1)
		synctest.Wait()
		f.store.append(300)
		time.Sleep(time.Minute)
		if got := f.starter.sizes(); len(got) != 0 {
			t.Fatalf("started %v", got)
		}
		f.starter.mu.Lock()
		f.starter.down = false
		f.starter.mu.Unlock()
		for range 20 {
			time.Sleep(5 * time.Second)
		}
		total := 0
		for _, n := range f.starter.sizes() {
			total += n
		}
		if total != 301 {
			t.Errorf("%d events started, want 301 in %v", total, f.starter.sizes())
		}
	})
}

func TestBatchesThatNobodyDrivesAreStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, nil)
		f.stop()
		f.store.append(3)
		b, _, _ := f.store.ClaimBatch(t.Context(), 10) // claimed, then the process died
		f.begin(t)
		synctest.Wait()
		if !slices.Equal(f.starter.restarted, []int64{b.ID}) {
			t.Fatalf("restarted %v at start-up, want %d", f.starter.restarted, b.ID)
		}
		f.starter.mu.Lock()
		f.starter.running[b.ID] = false // somebody terminated it
		f.starter.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(f.starter.restarted) != 2 {
			t.Errorf("restarted %v, want it again after the sweep", f.starter.restarted)
		}
		f.stop()
	})
}

func TestBatchOfAnUnconfiguredDestinationIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, nil)
		defer f.stop()
		f.store.mu.Lock()
		f.store.batches = append(f.store.batches, ledger.Batch{ID: 1, Applied: true})
		f.store.pending[1] = map[string]int{"gone": 3}
		f.store.mu.Unlock()
		time.Sleep(5 * time.Minute)
		if len(f.starter.restarted) != 0 {
			t.Errorf("restarted %v", f.starter.restarted)
		}
	})
}

func TestWorkflowIDIsDerivedFromTheEvents(t *testing.T) {
	one := ledger.EventRef{Source: "rootfi", ID: "abc", Kind: event.KindDataModelChanges, Model: "INVOICES", CompanyID: "4711"}
	sync := ledger.EventRef{Source: "rootfi", ID: "sha256:1f", Kind: event.KindSyncCompleted}
	for name, tt := range map[string]struct {
		b    ledger.Batch
		want string
	}{
		"one change":     {ledger.Batch{ID: 7, Events: []ledger.EventRef{one}}, "rootfi:INVOICES:4711:abc"},
		"one sync event": {ledger.Batch{ID: 8, Events: []ledger.EventRef{sync}}, "rootfi:sync_completed:sha256:1f"},
		"no events":      {ledger.Batch{ID: 9}, "redrive:9"},
	} {
		if got := WorkflowID(tt.b); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	a := WorkflowID(ledger.Batch{ID: 1, Events: []ledger.EventRef{one, sync}})
	b := WorkflowID(ledger.Batch{ID: 2, Events: []ledger.EventRef{one, sync}})
	c := WorkflowID(ledger.Batch{ID: 1, Events: []ledger.EventRef{sync, one}})
	if a != b || a == c || !strings.HasPrefix(a, "rootfi:2-events:abc:") {
		t.Errorf("ids %s, %s, %s", a, b, c)
	}
}

func TestWhatOneRunCouldNotStartTheNextOneDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, nil)
		f.starter.down = true
		f.store.append(1)
		time.Sleep(time.Minute)
		f.stop() // the connection to Temporal is given up
		f.starter.down = false
		defer f.begin(t).stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := len(f.starter.sizes()); got != 1 {
			t.Errorf("%d workflows for the batch that was claimed before", got)
		}
	})
}

func TestStartedBatchesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, nil)
		defer f.stop()
		for i := range 50 {
			f.store.append(1)
			synctest.Wait()
			f.passes.Applied(int64(i+1), nil)
		}
		f.store.finish()
		time.Sleep(3 * settleTime)
		synctest.Wait()
		f.d.mu.Lock()
		defer f.d.mu.Unlock()
		if n := len(f.d.started); n > 0 {
			t.Errorf("%d batches are remembered that are done", n)
		}
	})
}

func TestBatchThatTemporalRefusesStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, func(o *Options) { o.MaxInFlight, o.MaxEvents = 1, 1 })
		f.starter.refused = 1
		f.store.append(3)
		for i := range 10 {
			time.Sleep(time.Second)
			f.passes.Applied(int64(i+1), nil)
		}
		if got := len(f.starter.sizes()); got != 2 {
			t.Errorf("%d workflows, want one for each of the other batches", got)
		}
		f.stop()
		f.starter.running = nil // Temporal has lost them
		defer f.begin(t).stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := f.starter.restarted; !slices.Equal(got, []int64{2, 3}) {
			t.Errorf("started again: %v, want the other batches", got)
		}
	})
}
