// Package sandbox is a local RootFi: the sending side, for demos, tests and
// load. It makes companies with realistic and consistent accounting records,
// tells their life as webhooks (initial sync, incremental changes, full sync),
// delivers them as RootFi does, with faults if asked to, and knows the state
// that a receiver must end in.
//
// Everything that is generated follows from the options: the same seed makes the
// same bodies, byte for byte. The expected state does not depend on the order of
// arrival, because webhooks of a company never share a creation time.
//
// The package knows nothing of the receiver. Its idea of the final state is its
// own, so that tests compare two independent answers.
package sandbox

import (
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
)

// Sandbox tells the script that its options describe. It holds no records
// between calls and is safe for concurrent use.
type Sandbox struct {
	opts  Options
	truth func() *truth
}

// New returns a sandbox. Options out of range are brought into range.
func New(o Options) *Sandbox {
	s := &Sandbox{opts: o.withDefaults()}
	s.truth = sync.OnceValue(func() *truth {
		t := newTruth()
		for ev := range s.Events() {
			t.apply(ev)
		}
		return t
	})
	return s
}

// Events tells the script from its beginning, in the order in which the
// webhooks of each company were created. With phases given only their webhooks
// are handed out; the others are told silently, since later phases build on them.
func (s *Sandbox) Events(phases ...Phase) iter.Seq[*Event] {
	return func(yield func(*Event) bool) {
		w := newWorld(s.opts)
		for _, phase := range s.opts.Phases {
			for ev := range w.play(phase) {
				if len(phases) > 0 && !slices.Contains(phases, phase) {
					continue
				}
				if !yield(ev) {
					return
				}
			}
		}
	}
}

// Expected is the state of every record after the whole script, sorted by
// company, model and platform id.
func (s *Sandbox) Expected() []Record { return s.truth().expected() }

// Counts tells, per data model, what the whole script sends.
func (s *Sandbox) Counts() []Count { return s.truth().totals() }

// ExpectedWithout is the state of every record if the events with these ids
// never arrive, for instance because their delivery was given up.
func (s *Sandbox) ExpectedWithout(ids ...string) []Record {
	return s.ExpectedOf(func(ev *Event) bool { return !slices.Contains(ids, ev.ID) })
}

// ExpectedOf is the state of every record if only the events that arrived are
// told.
func (s *Sandbox) ExpectedOf(arrived func(*Event) bool) []Record {
	t := newTruth()
	for ev := range s.Events() {
		if arrived(ev) {
			t.apply(ev)
		}
	}
	return t.expected()
}

// world is all companies at one moment of the script.
type world struct {
	companies []*company
	rng       *rand.Rand // decides only how companies interleave
}

func newWorld(o Options) *world {
	w := &world{rng: rand.New(rand.NewPCG(o.Seed, 0))}
	for i := range o.Companies {
		w.companies = append(w.companies, newCompany(o, i))
	}
	return w
}

// play tells one phase of all companies, interleaved.
func (w *world) play(phase Phase) iter.Seq[*Event] {
	return func(yield func(*Event) bool) {
		if len(w.companies) == 1 {
			w.companies[0].play(phase, yield)
			return
		}
		type source struct {
			next func() (*Event, bool)
			stop func()
		}
		var sources []source
		for _, c := range w.companies {
			next, stop := iter.Pull(func(yield func(*Event) bool) { c.play(phase, yield) })
			defer stop()
			sources = append(sources, source{next, stop})
		}
		for len(sources) > 0 {
			i := w.rng.IntN(len(sources))
			ev, ok := sources[i].next()
			if !ok {
				sources = slices.Delete(sources, i, i+1)
				continue
			}
			if !yield(ev) {
				return
			}
		}
	}
}
