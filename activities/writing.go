package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/fault"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

// fate is what became of one delivery, all of its records taken together.
type fate struct {
	result destination.Result
	lost   bool // a call with it gave no answer
	none   bool // not all of it was tried: it waits as it is
}

func (a fate) rank() int {
	switch {
	case a.lost:
		return 6
	case a.none:
		return 1
	}
	return map[destination.ResultKind]int{
		destination.Delivered: 0, destination.Dependency: 2, destination.Retry: 3,
		destination.Throttled: 4, destination.Misconfigured: 4, destination.Rejected: 5,
	}[a.result.Kind]
}

// worse keeps the one that decides about the whole delivery.
func (a *fate) worse(b fate) {
	if b.rank() > a.rank() {
		*a = b
	}
}

// writing is what the calls for one claim share.
type writing struct {
	a         *Activities
	name      string
	d         Destination
	settings  *Settings
	token     ledger.ClaimToken
	lastBegin time.Time
	probe     bool // of a destination that is paused
	verdict   *verdict
}

// call makes one call. ok is false when there was no time or no room for it. What
// is of a paused part is left out of it, and told to wait. of names the deliveries.
func (w *writing) call(ctx context.Context, b destination.Batch, of []int64, backoff time.Duration) (fates []fate, ok bool) {
	if w.verdict.stop || time.Now().After(w.lastBegin) {
		return nil, false // what has no outcome is waiting again
	}
	fates = make([]fate, len(b.Records))
	free := w.free(b, fates)
	if len(free) == 0 {
		return fates, true
	}
	if wait := w.a.limit(ctx, w.name, w.d, w.lastBegin); wait > 0 {
		w.verdict.stop, w.verdict.limited = true, wait
		return nil, false
	}
	if ctx.Err() != nil {
		return nil, false
	}
	deliveries := make([]int64, len(free))
	sent := b
	sent.Records = make([]destination.Record, len(free))
	for to, from := range free {
		sent.Records[to], deliveries[to] = b.Records[from], of[from]
	}
	began := time.Now()
	results, err := w.a.write(ctx, w.name, w.d, sent)
	w.a.metrics.wrote(w.name, len(sent.Records), time.Since(began))
	if err != nil {
		results = slices.Repeat([]destination.Result{resultOf(err)}, len(free))
	}
	w.verdict.observe(sent, results, err != nil)
	if w.verdict.lost {
		w.verdict.wait = backoff
	}
	w.judge(deliveries, results, err)
	for i, at := range free {
		fates[at] = fate{result: results[i], lost: err != nil && unanswered(err)}
	}
	return fates, true
}

// free lists the records that are of no paused part; the others get their fate.
func (w *writing) free(b destination.Batch, fates []fate) []int {
	_, parts := w.a.pauses(w.name)
	parts = slices.Concat(parts, w.verdict.parts)
	free := make([]int, 0, len(b.Records))
	now := fault.Now()
	for i, r := range b.Records {
		at := slices.IndexFunc(parts, func(p ledger.Pause) bool { return now.Before(p.Until) && p.Part == partOf(p.Scope, b, r) })
		if at < 0 {
			free = append(free, i)
			continue
		}
		p := parts[at]
		fates[i].result = destination.Result{Kind: destination.Throttled, Code: codePartPaused, Message: p.Message, Until: p.Until, Scope: destination.Scope(p.Scope)}
	}
	return free
}

// codePartPaused is the code of what was not tried because its object or account
// is paused.
const codePartPaused = "part_paused"

// partOf is the part of a destination that a record belongs to, by scope.
func partOf(scope string, b destination.Batch, r destination.Record) string {
	if scope == ledger.ScopeAccount {
		return r.Origin.CompanyID
	}
	return b.Object
}

// judge decides whether a call says that the destination is down.
func (w *writing) judge(deliveries []int64, results []destination.Result, err error) {
	if results[0].Code == destination.CodeRestarting {
		return // nothing was tried
	}
	if slices.ContainsFunc(results, func(r destination.Result) bool { return r.Kind != destination.Retry }) {
		w.a.circuits.through(w.name)
		return
	}
	if w.probe {
		w.verdict.stop, w.verdict.pause = true, w.d.down(results[0].Message)
		return
	}
	answered := err == nil || !unanswered(err)
	switch w.a.circuits.failed(w.name, deliveries, answered && len(deliveries) > 1) {
	case openNow:
		w.verdict.stop, w.verdict.pause = true, w.d.down(results[0].Message)
	case openIfSo:
		w.verdict.doubt = true
	}
}

// down is how long the destination has been paused.
func (w *writing) down(now time.Time) time.Duration {
	if whole, _ := w.a.pauses(w.name); whole != nil {
		return now.Sub(whole.Since)
	}
	return 0
}

// unanswered reports whether a call gave no answer, or a panic for one.
func unanswered(err error) bool {
	failure, answered := errors.AsType[*destination.Failure](err)
	return !answered || failure.Code == destination.CodePanic
}

// group writes the records of a group, then the elements of the lists of those
// that arrived. ok is false when not even the first call could be made.
func (w *writing) group(ctx context.Context, g group) (fates []fate, ok bool, err error) {
	backoff := w.d.backoff(g.parts[0].item.Attempts)
	if err := w.intend(ctx, g); err != nil {
		return nil, false, err
	}
	known := make([]*progress, len(g.parts))
	begun := true // the records themselves are there, elements are missing
	for i, p := range g.parts {
		known[i] = w.a.unfinished.of(p, w.settings)
		begun = begun && known[i] != nil
	}
	if begun {
		fates = make([]fate, len(g.parts))
		for i := range fates {
			fates[i].result.Kind = destination.Delivered
		}
	} else if fates, ok = w.call(ctx, g.batch, g.deliveries(), backoff); !ok {
		return nil, false, nil
	}
	for _, c := range w.children(g, fates, known) {
		deliveries := make([]int64, len(c.of))
		for i, of := range c.of {
			deliveries[i] = g.parts[of].item.ID
		}
		got, called := w.call(ctx, c.batch, deliveries, backoff)
		for i, of := range c.of {
			if !called {
				fates[of].worse(fate{none: true})
				continue
			}
			fates[of].worse(got[i])
			if got[i].rank() == 0 {
				if known[of] == nil {
					known[of] = newProgress(g.parts[of], w.settings)
				}
				known[of].there[c.elements[i]] = true
			}
		}
	}
	for i, p := range g.parts {
		if len(p.output.Children) == 0 {
			continue
		}
		if !fates[i].none {
			known[i] = nil
		} else if known[i] == nil {
			known[i] = newProgress(p, w.settings)
		}
		w.a.unfinished.note(p, known[i])
	}
	return fates, true, nil
}

// intend remembers elements that the destination does not have yet, before they
// are written: if the answer is lost they may be there all the same.
func (w *writing) intend(ctx context.Context, g group) error {
	fresh := make(map[int64]map[string][]string)
	for _, p := range g.parts {
		for object, ids := range p.output.Now {
			known := make(map[string]struct{}, len(ids))
			for _, id := range p.item.Children[object] {
				known[id] = struct{}{}
			}
			if slices.ContainsFunc(ids, func(id string) bool { _, ok := known[id]; return !ok }) {
				fresh[p.item.ID] = p.output.Now
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return w.a.store.Intend(ctx, w.token, fresh)
}

// childCall is a call with elements, and which delivery of the group each is of.
type childCall struct {
	batch    destination.Batch
	of       []int
	elements []string
	bytes    int
}

// children sorts the elements of what was delivered into calls within the
// plugin's limits.
// Those that are known to be there are left out.
func (w *writing) children(g group, fates []fate, known []*progress) []childCall {
	var calls []childCall
	open := make(map[string]int) // by object: of one group, all else is the same
	for i, p := range g.parts {
		if fates[i].rank() > 0 {
			continue
		}
		for _, c := range p.output.Children {
			if known[i] != nil && known[i].there[elementOf(c)] {
				continue
			}
			size := sizeOf(c.Record)
			at, ok := open[c.Object]
			if !ok || w.full(&calls[at], size) {
				at = len(calls)
				open[c.Object] = at
				calls = append(calls, childCall{batch: batchOf(c.Call)})
			}
			calls[at].batch.Records = append(calls[at].batch.Records, c.Record)
			calls[at].of = append(calls[at].of, i)
			calls[at].elements = append(calls[at].elements, elementOf(c))
			calls[at].bytes += size
		}
	}
	return calls
}

func (w *writing) full(c *childCall, more int) bool {
	return w.d.MaxBatchRecords > 0 && len(c.of) >= w.d.MaxBatchRecords || w.d.MaxBatchBytes > 0 && c.bytes+more > w.d.MaxBatchBytes
}

func sizeOf(r destination.Record) int {
	n := 64
	for name, value := range r.Fields {
		n += len(name) + len(value)
	}
	return n
}
