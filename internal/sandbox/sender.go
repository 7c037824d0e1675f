package sandbox

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"time"
)

// sender decides what is sent when. All decisions are made in one goroutine, so
// the faults of a run repeat with its seed as far as the answers repeat.
type sender struct {
	opts  Options
	rng   *rand.Rand
	next  func() (*Event, bool)
	route func(*Event) []*Target

	window    []*Event // drawn from next and shuffled
	exhausted bool     // next has no more
	ready     []job
	waiting   delays
	inFlight  int
	// Pace: the moment before which no new event is sent, and the events left
	// in the running burst.
	notBefore time.Time
	burst     int
	burstSize int

	truth  *truth
	took   []time.Duration
	begun  time.Time
	report Report
}

const (
	reorderWindow = 64
	// maxWaiting bounds what is in memory while a receiver is away.
	maxWaiting = 10_000
)

func newSender(o Options, next func() (*Event, bool), route func(*Event) []*Target) *sender {
	return &sender{
		opts: o, next: next, route: route, truth: newTruth(), begun: time.Now(),
		rng:    rand.New(rand.NewPCG(o.Seed, 1<<63)),
		report: Report{Statuses: make(map[int]int), Acks: make(map[string]int), GaveUp: []Failure{}},
	}
}

// run hands jobs to the workers until all is settled or ctx ends.
func (s *sender) run(ctx context.Context, jobs chan<- job, results <-chan result) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		for len(s.waiting) > 0 && !s.waiting[0].due.After(now) {
			s.ready = append(s.ready, heap.Pop(&s.waiting).(delayed).job)
		}
		s.fill(now)
		var (
			out  chan<- job
			head job
		)
		if len(s.ready) > 0 {
			out, head = jobs, s.ready[0]
		} else if s.exhausted && len(s.waiting) == 0 && s.inFlight == 0 {
			return nil
		}
		var wake <-chan time.Time
		if due, ok := s.nextWake(); ok && out == nil {
			timer.Reset(due.Sub(now))
			wake = timer.C
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case out <- head:
			s.ready = s.ready[1:]
			s.inFlight++
		case r := <-results:
			s.inFlight--
			s.count(r)
			s.settle(r)
		case <-wake:
		}
	}
}

// fill takes the next event when nothing else is ready and the pace allows.
func (s *sender) fill(now time.Time) {
	if len(s.ready) > 0 || s.exhausted || len(s.waiting) >= maxWaiting || now.Before(s.notBefore) {
		return
	}
	ev, ok := s.draw()
	if !ok {
		s.exhausted = true
		return
	}
	for _, to := range s.route(ev) {
		p := &parcel{event: ev, to: to, late: s.opts.has(FaultLate) && s.rng.IntN(33) == 0}
		s.report.Events++
		s.ready = append(s.ready, job{parcel: p, number: 1})
	}
	s.pace(now)
}

func (s *sender) draw() (*Event, bool) {
	if len(s.window) == 0 {
		size := 1
		if s.opts.has(FaultReorder) {
			size = reorderWindow
		}
		for range size {
			ev, ok := s.next()
			if !ok {
				break
			}
			s.truth.apply(ev)
			s.window = append(s.window, ev)
		}
		s.rng.Shuffle(len(s.window), func(i, j int) { s.window[i], s.window[j] = s.window[j], s.window[i] })
	}
	if len(s.window) == 0 {
		return nil, false
	}
	ev := s.window[0]
	s.window = s.window[1:]
	return ev, true
}

// pace sets when the next event may go.
func (s *sender) pace(now time.Time) {
	events := 1
	if s.opts.has(FaultBursts) {
		if s.burst == 0 {
			s.burstSize = 100 + s.rng.IntN(400)
			s.burst = s.burstSize
		}
		if s.burst--; s.burst > 0 {
			return
		}
		events = s.burstSize
		if s.opts.Rate <= 0 {
			s.notBefore = now.Add(time.Duration(20+s.rng.IntN(80)) * time.Millisecond)
			return
		}
	}
	if s.opts.Rate <= 0 {
		return
	}
	// A receiver that stalled is not made to catch up for more than a second.
	if floor := now.Add(-time.Second); s.notBefore.Before(floor) {
		s.notBefore = now
	}
	s.notBefore = s.notBefore.Add(time.Duration(float64(events) / s.opts.Rate * float64(time.Second)))
}

func (s *sender) nextWake() (time.Time, bool) {
	paced := !s.exhausted && len(s.waiting) < maxWaiting
	switch {
	case len(s.waiting) > 0 && (!paced || s.waiting[0].due.Before(s.notBefore)):
		return s.waiting[0].due, true
	case paced:
		return s.notBefore, true
	default:
		return time.Time{}, false
	}
}

// count takes an answer into the report.
func (s *sender) count(r result) {
	s.report.Sent++
	s.report.Bytes += int64(len(r.event.Body))
	s.report.Statuses[r.status]++
	if r.err == nil {
		s.took = append(s.took, r.took)
	}
	switch {
	case r.duplicate:
		s.report.Duplicates++
	case r.number > 1:
		s.report.Retries++
	}
	if r.ok() && !r.acked {
		r.acked = true
		s.report.Acknowledged++
		s.report.Acks[r.event.ID] = r.status
	}
	if s.opts.Observe != nil {
		s.opts.Observe(Attempt{
			Event: r.event, Number: r.number, Duplicate: r.duplicate, Status: r.status, Err: r.err, Took: r.took,
			Acknowledged: s.report.Acknowledged,
		})
	}
}

// settle decides what follows from an answer.
func (s *sender) settle(r result) {
	if r.duplicate {
		return
	}
	r.attempts++
	pretend := r.ok() && r.late && r.attempts == 1 && s.opts.Retries > 0
	switch {
	case pretend:
		s.report.Late++
		s.after(s.backoff(r.attempts)+time.Duration(s.rng.Int64N(int64(s.opts.RetryBase))), job{parcel: r.parcel, number: r.number + 1})
	case r.ok():
		if s.opts.has(FaultDuplicates) && s.rng.IntN(20) == 0 {
			s.after(time.Duration(s.rng.Int64N(int64(2*s.opts.RetryBase))), job{parcel: r.parcel, number: r.number + 1, duplicate: true})
		}
	case r.attempts <= s.opts.Retries:
		s.after(s.backoff(r.attempts), job{parcel: r.parcel, number: r.number + 1})
	case !r.acked:
		f := Failure{ID: r.event.ID, Attempts: r.attempts, Status: r.status}
		if r.err != nil {
			f.Cause = r.err.Error()
		}
		s.report.GaveUp = append(s.report.GaveUp, f)
	}
}

// backoff before the retry after the nth attempt: base, twice base, four times…
func (s *sender) backoff(n int) time.Duration { return s.opts.RetryBase << min(n-1, 16) }

func (s *sender) after(d time.Duration, j job) {
	heap.Push(&s.waiting, delayed{time.Now().Add(d), j})
}

func (s *sender) finish() Report {
	s.report.Elapsed = time.Since(s.begun)
	s.report.Latency = latencyOf(s.took)
	s.report.Models = s.truth.totals()
	return s.report
}

// delays is a heap of jobs by the moment at which they are due.
type delays []delayed

type delayed struct {
	due time.Time
	job job
}

func (d delays) Len() int           { return len(d) }
func (d delays) Less(i, j int) bool { return d[i].due.Before(d[j].due) }
func (d delays) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *delays) Push(x any)        { *d = append(*d, x.(delayed)) }
func (d *delays) Pop() any {
	old := *d
	last := old[len(old)-1]
	*d = old[:len(old)-1]
	return last
}
