package activities

import (
	"encoding/json"
	"log/slog"
	"slices"

	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// router asks the routes about the events and records of one batch, with what
// their conditions may look at.
type router struct {
	table   *routing.Table
	metrics *Metrics
	events  map[int64]*event.Event // envelopes, by sequence; only if a condition may ask
	ids     map[int64]string       // of events, by sequence; only if there are conditions
	failed  map[string]failedCondition
}

// failedCondition is the last failure of a condition of a route.
type failedCondition struct {
	err   error
	event string // id of the event that it was about
	times int
}

func newRouter(table *routing.Table, metrics *Metrics) *router {
	return &router{
		table: table, metrics: metrics, events: make(map[int64]*event.Event), ids: make(map[int64]string), failed: make(map[string]failedCondition),
	}
}

// failIn notes failures of conditions about what an event said.
func (r *router) failIn(seq int64) func(route string, err error) {
	return func(route string, err error) {
		r.failed[route] = failedCondition{err, r.ids[seq], r.failed[route].times + 1}
		r.metrics.conditionFailed(route)
	}
}

// report logs conditions that could not be evaluated, once for each route, with
// an event that shows it. The errors hold no values.
func (r *router) report(log *slog.Logger) {
	for route, f := range r.failed {
		log.Warn("a condition could not be evaluated, its route did not match",
			"route", route, "err", f.err, "event", f.event, "times", f.times)
	}
}

// note remembers the envelope of an event and returns what routes see of it.
func (r *router) note(ev event.Event) routing.EventInput {
	in := routing.EventInput{
		Source: ev.Source, Kind: ev.Kind, Model: ev.Model, CompanyID: ev.CompanyID, Integration: ev.Integration,
		Operation: ev.Operation, Status: ev.Status, SyncType: ev.SyncType,
	}
	if !r.table.Conditional() {
		return in
	}
	r.ids[ev.Seq], in.Failed = ev.ID, r.failIn(ev.Seq)
	envelope := ev
	envelope.Body = nil
	if r.table.History() && ev.Kind == event.KindDataModelChanges {
		r.events[ev.Seq] = &envelope
	}
	in.Vars = &expr.Vars{Event: &envelope}
	return in
}

// of is what routes see of one change.
func (r *router) of(in routing.EventInput, c event.Change) routing.EventInput {
	if in.Vars != nil {
		change := expr.NewObject(c.Key.Model, c.Fields)
		in.Vars = &expr.Vars{Key: c.Key, Event: in.Vars.Event, Record: change, Change: change}
	}
	return in
}

// everywhere are the destinations that may want something of an event that
// cannot be read: as nothing is known of it, conditions are taken to hold.
func (r *router) everywhere(in routing.EventInput) []routing.Match {
	in.Assume = true
	return slices.Concat(r.table.Records(routing.RecordInput{
		Source: in.Source, Model: in.Model, CompanyID: in.CompanyID, Integration: in.Integration, Operation: in.Operation, Assume: true,
	}), r.table.Appends(in))
}

// record routes a record that changed.
func (r *router) record(m ledger.Merged) []ledger.Want {
	matches := r.table.Records(r.recordInput(m))
	wants := make([]ledger.Want, len(matches))
	for i, match := range matches {
		wants[i] = want(match)
	}
	return wants
}

// recordInput is what routes see of a record that changed.
func (r *router) recordInput(m ledger.Merged) routing.RecordInput {
	k := m.Record.Key
	in := routing.RecordInput{
		Source: k.Source, Model: k.Model, CompanyID: k.CompanyID, Integration: k.Integration,
		Operation: routing.OperationOf(m.Record),
	}
	if r.table.Conditional() {
		newest := int64(0)
		for _, c := range m.Changes {
			newest = max(newest, c.Stamp.Seq)
		}
		in.Failed = r.failIn(newest)
		in.Vars = &expr.Vars{Key: k, Record: expr.NewRecord(m.Record)}
		if m.Before != nil {
			r.history(in.Vars, m)
		}
	}
	return in
}

// history adds what the changes said together, the event of the newest of them,
// and what the record was before.
func (r *router) history(v *expr.Vars, m ledger.Merged) {
	changes := slices.Clone(m.Changes)
	slices.SortFunc(changes, func(a, b event.Change) int { return a.Stamp.Compare(b.Stamp) })
	said := make(map[string]json.RawMessage)
	for _, c := range changes {
		for name, value := range c.Fields {
			said[name] = value
		}
		v.Event = r.events[c.Stamp.Seq]
	}
	v.Change = expr.NewObject(m.Record.Key.Model, said)
	if m.Before.Version > 0 {
		v.Previous = expr.NewRecord(m.Before)
	}
}
