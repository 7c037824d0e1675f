package activities

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Rehearsal runs events through merge, routes and mappings as Apply and Deliver
// do, with their code, in memory. Every destination takes everything at once;
// what a mapping cannot make, and what waits for a parent, is shown as such.
type Rehearsal struct {
	a        *Activities
	settings *Settings
	memory   *memory
	seen     map[string]bool // events, by source and id
	seq      int64
	had      map[place]held
	waiting  []ledger.Delivery
}

// place is a record at a destination.
type place struct {
	key         event.RecordKey
	destination string
}

// held is what a destination has of a record.
type held struct {
	version  int64
	children mapping.Children
}

// Rehearsed is what a destination gets, or why it gets nothing.
type Rehearsed struct {
	Destination string
	Route       string
	mapping.Part
	Problem string // a mapping failed, nothing identifies the record, or it waits
}

// memory is the part of the ledger that mappings ask.
type memory struct {
	Store   // nothing else is asked
	records map[event.RecordKey]*event.Record
}

// Related implements [ledger.Mappings].
func (m *memory) Related(_ context.Context, keys []event.RecordKey) ([]event.Record, error) {
	var out []event.Record
	for _, key := range keys {
		if r := m.records[key]; r != nil {
			out = append(out, *r)
		}
	}
	return out, nil
}

// NewRehearsal returns an empty one.
func NewRehearsal(table *routing.Table, plans *mapping.Plans, payloads map[string]Payloads) *Rehearsal {
	m := &memory{records: make(map[event.RecordKey]*event.Record)}
	return &Rehearsal{
		a: New(Options{
			Store: m, Payloads: payloads, Metrics: NewMetrics(prometheus.NewRegistry()), Logger: slog.New(slog.DiscardHandler),
		}),
		settings: &Settings{Table: table, Plans: plans}, memory: m,
		seen: make(map[string]bool), had: make(map[place]held),
	}
}

// Put makes a record known, as if it had been delivered to the destinations.
func (r *Rehearsal) Put(rec *event.Record, destinations ...string) {
	r.memory.records[rec.Key] = rec
	for _, d := range destinations {
		r.had[place{rec.Key, d}] = held{version: rec.Version}
	}
}

// Record returns the state of a record, nil if there is none.
func (r *Rehearsal) Record(key event.RecordKey) *event.Record { return r.memory.records[key] }

func (r *Rehearsal) router() *router {
	return newRouter(r.settings.Table, r.a.metrics)
}

// number gives an event its place in the order of acceptance. ok is false for one
// that was seen already.
func (r *Rehearsal) number(ev *event.Event) (ok bool) {
	id := ev.Source + "/" + ev.ID
	if r.seen[id] {
		return false
	}
	r.seen[id] = true
	r.seq++
	ev.Seq = r.seq
	return true
}

// Apply takes events as one batch and returns, in order, what the destinations
// get for it, and how many of the events no route takes.
func (r *Rehearsal) Apply(ctx context.Context, events ...event.Event) (out []Rehearsed, unrouted int, err error) {
	rt := r.router()
	var todo ledger.Application
	byIndex := make(map[int64]*event.Event)
	for _, ev := range events {
		if r.number(&ev) {
			byIndex[ev.Seq] = &ev
			r.a.route(ev, rt, &todo)
		}
	}
	for _, u := range todo.Unkeyed {
		out = append(out, Rehearsed{Destination: u.Destination, Route: u.Route, Problem: fmt.Sprintf("a dead letter: element %d: %s", u.Index, u.Reason)})
	}
	for _, w := range todo.Appends {
		item := ledger.Delivery{Destination: w.Destination, Route: w.Route, Kind: ledger.DeliverEvent, Event: byIndex[w.Seq], Index: w.Index}
		if w.Index >= 0 {
			item.Kind = ledger.DeliverChange
		}
		r.book(item)
	}
	for _, m := range r.merge(todo.Changes) {
		for _, w := range rt.record(m) {
			r.book(ledger.Delivery{Destination: w.Destination, Route: w.Route, Kind: ledger.DeliverRecord, Record: m.Record})
		}
	}
	delivered, err := r.deliver(ctx)
	return append(out, delivered...), len(todo.Unrouted), err
}

// merge puts changes into their records and returns those that really changed, in
// the order in which they were spoken of.
func (r *Rehearsal) merge(changes []event.Change) []ledger.Merged {
	var order []event.RecordKey
	byKey := make(map[event.RecordKey][]event.Change)
	for _, c := range changes {
		if len(byKey[c.Key]) == 0 {
			order = append(order, c.Key)
		}
		byKey[c.Key] = append(byKey[c.Key], c)
	}
	var out []ledger.Merged
	for _, key := range order {
		rec := r.memory.records[key]
		if rec == nil {
			rec = &event.Record{Key: key}
		}
		before := clone(rec)
		next := clone(rec)
		if next.Merge(byKey[key]...) {
			out = append(out, ledger.Merged{Record: next, Before: before, Changes: byKey[key]})
		}
		r.memory.records[key] = next // also when nothing shows: stamps count
	}
	return out
}

func clone(r *event.Record) *event.Record {
	out := *r
	out.Fields = make(map[string]event.Field, len(r.Fields))
	for name, f := range r.Fields {
		out.Fields[name] = f
	}
	return &out
}

// book adds a delivery. A record that waits already is superseded.
func (r *Rehearsal) book(d ledger.Delivery) {
	if d.Kind == ledger.DeliverRecord {
		r.waiting = slices.DeleteFunc(r.waiting, func(w ledger.Delivery) bool {
			return w.Kind == ledger.DeliverRecord && w.Destination == d.Destination && w.Record.Key == d.Record.Key
		})
	}
	r.waiting = append(r.waiting, d)
}

// deliver brings what is booked to its destinations, parents first, until
// nothing is left but what waits for a parent that is not there.
func (r *Rehearsal) deliver(ctx context.Context) ([]Rehearsed, error) {
	var out []Rehearsed
	for progress := true; progress; {
		progress = false
		var left []ledger.Delivery
		for _, d := range r.waiting {
			got, missing, err := r.write(ctx, d)
			if err != nil {
				return out, err
			}
			if missing != "" {
				left = append(left, d)
				continue
			}
			progress = true
			out = append(out, got...)
		}
		r.waiting = left
		progress = progress && len(left) > 0
	}
	return out, nil
}

// write makes what the destination gets of one delivery, or says what it waits for.
func (r *Rehearsal) write(ctx context.Context, item ledger.Delivery) (out []Rehearsed, missing string, err error) {
	at := place{destination: item.Destination}
	if item.Record != nil {
		at.key = item.Record.Key
		item.Delivered, item.Children = r.had[at].version, r.had[at].children
	}
	parts, broken, err := r.a.build(ctx, r.settings, []ledger.Delivery{item})
	if err != nil {
		return nil, "", err
	}
	for _, b := range broken {
		out = append(out, Rehearsed{Destination: item.Destination, Route: item.Route, Problem: "a dead letter: " + b.Message})
	}
	for _, p := range parts {
		for _, parent := range p.parents {
			if _, there := r.had[place{parent.key, item.Destination}]; !there {
				return nil, fmt.Sprintf("the record of %s that %s names", parent.key.Model, parent.field), nil
			}
		}
		for _, part := range append([]mapping.Part{p.output.Part}, p.output.Children...) {
			out = append(out, Rehearsed{Destination: item.Destination, Route: item.Route, Part: part})
		}
		if item.Record != nil {
			r.had[at] = held{item.Record.Version, p.output.Now}
		}
	}
	return out, "", nil
}

// Waiting returns what waits for parents that are not at the destination.
func (r *Rehearsal) Waiting(ctx context.Context) ([]Rehearsed, error) {
	var out []Rehearsed
	for _, d := range r.waiting {
		_, missing, err := r.write(ctx, d)
		if err != nil {
			return nil, err
		}
		out = append(out, Rehearsed{Destination: d.Destination, Route: d.Route, Problem: "waits for " + missing})
	}
	return out, nil
}

// Explained is what the routes say to an event as a whole, or to one of its
// changes and the record that it changes.
type Explained struct {
	Index   int // of the change; -1 for the event as a whole
	Change  *event.Change
	Record  *event.Record
	Routes  []routing.Verdict
	Outputs []Rehearsed
}

// Explain says of one event what each route says to it, and what the destinations
// get. The records of its changes are merged into what was Put; known says that
// this has happened already, and their states are taken as they are.
func (r *Rehearsal) Explain(ctx context.Context, ev event.Event, known bool) (out []Explained, unkeyed []Unkeyed, err error) {
	r.number(&ev)
	rt := r.router()
	in := rt.note(ev)
	if ev.Kind != event.KindDataModelChanges {
		e := Explained{Index: -1, Routes: r.settings.Table.ExplainEvent(in)}
		for _, m := range r.settings.Table.Appends(in) {
			if err := r.show(ctx, &e, ledger.Delivery{Destination: m.Destination, Route: m.Route, Kind: ledger.DeliverEvent, Event: &ev, Index: -1}); err != nil {
				return nil, nil, err
			}
		}
		return []Explained{e}, nil, nil
	}
	changes, unkeyed, err := r.a.changes(ev)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range changes {
		e := Explained{Index: int(c.Stamp.Index), Change: &c, Record: r.memory.records[c.Key]}
		m := ledger.Merged{Changes: []event.Change{c}}
		if e.Record == nil || !known {
			before := e.Record
			if before == nil {
				before = &event.Record{Key: c.Key}
			}
			e.Record = clone(before)
			e.Record.Merge(c)
			r.memory.records[c.Key] = e.Record
			m.Before = before
		} else {
			m.Before = &event.Record{Key: c.Key} // what it was then is not known any more
		}
		m.Record = e.Record
		asRecord, asChange := rt.recordInput(m), rt.of(in, c)
		e.Routes = r.settings.Table.ExplainRecord(asRecord)
		for i, v := range r.settings.Table.ExplainEvent(asChange) {
			if r.settings.Table.ModeOf(v.Route) == routing.ModeChanges {
				e.Routes[i] = v
			}
		}
		for _, match := range r.settings.Table.Records(asRecord) {
			item := ledger.Delivery{Destination: match.Destination, Route: match.Route, Kind: ledger.DeliverRecord, Record: e.Record}
			if err := r.show(ctx, &e, item); err != nil {
				return nil, nil, err
			}
		}
		for _, match := range r.settings.Table.Appends(asChange) {
			item := ledger.Delivery{Destination: match.Destination, Route: match.Route, Kind: ledger.DeliverChange, Event: &ev, Index: e.Index}
			if err := r.show(ctx, &e, item); err != nil {
				return nil, nil, err
			}
		}
		out = append(out, e)
	}
	return out, unkeyed, nil
}

// show adds what a delivery brings. A parent that is not there is not waited for.
func (r *Rehearsal) show(ctx context.Context, e *Explained, item ledger.Delivery) error {
	got, missing, err := r.write(ctx, item)
	if err != nil {
		return err
	}
	if missing != "" {
		e.Outputs = append(e.Outputs, Rehearsed{Destination: item.Destination, Route: item.Route, Problem: "waits until the destination has " + missing})
		parts, _, err := r.a.build(ctx, r.settings, []ledger.Delivery{item})
		if err != nil {
			return err
		}
		for _, p := range parts {
			got = append(got, Rehearsed{Destination: item.Destination, Route: item.Route, Part: p.output.Part})
		}
	}
	e.Outputs = append(e.Outputs, got...)
	return nil
}
