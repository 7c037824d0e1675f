package routing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/internal/event"
)

// Records returns the deliveries of a record that changed: what routes in mode
// records want of it, one per destination. The result is shared: do not change it.
func (t *Table) Records(in RecordInput) []Match {
	return t.match(ModeRecords, in.event())
}

func (in RecordInput) event() EventInput {
	return EventInput{
		Source: in.Source, Kind: event.KindDataModelChanges, Model: in.Model, CompanyID: in.CompanyID,
		Integration: in.Integration, Operation: in.Operation, Vars: in.Vars, Failed: in.Failed, Assume: in.Assume,
	}
}

// Appends returns, one per destination, the deliveries of one change of a
// data-model event that routes in mode changes want, or of any other event as a
// whole. The result is shared: do not change it.
func (t *Table) Appends(in EventInput) []Match {
	mode, in := modeOf(in)
	return t.match(mode, in)
}

func modeOf(in EventInput) (Mode, EventInput) {
	if in.Kind == event.KindDataModelChanges {
		in.Status, in.SyncType = "", ""
		return ModeChanges, in
	}
	in.Model, in.Operation = "", ""
	return ModeEvents, in
}

// Unrouted reports whether no route but a catch_all may take a data-model event
// for any of its records, or takes an event of another kind. Conditions are only
// asked about the latter: those about records are about each of them.
func (t *Table) Unrouted(in EventInput) bool {
	if in.Kind != event.KindDataModelChanges {
		for _, m := range t.Appends(in) {
			if !t.isCatchAll(m.Route) {
				return false
			}
		}
		return true
	}
	return !t.mayTake(ModeRecords, in) && !t.mayTake(ModeChanges, in)
}

// mayTake reports whether a route of the mode, but for a catch_all, may take
// something of a data-model event: which operation a record will have had and
// what conditions will say is not known.
func (t *Table) mayTake(mode Mode, in EventInput) bool {
	for i := range t.routes {
		r := &t.routes[i]
		if r.catchAll || r.mode != mode {
			continue
		}
		for _, op := range []event.Operation{event.Create, event.Update, event.Delete} {
			if in.Operation = op; r.refuses(mode, in) == "" {
				return true
			}
		}
	}
	return false
}

// elsewhere returns why a catch_all leaves the input to routes of the other
// mode, or "".
func (t *Table) elsewhere(r *route, mode Mode, in EventInput) string {
	other := ModeRecords
	if mode == ModeRecords {
		other = ModeChanges
	}
	if r.catchAll && mode != ModeEvents && t.mayTake(other, in) {
		return fmt.Sprintf("a route in mode %s takes it", other)
	}
	return ""
}

func (t *Table) isCatchAll(name string) bool {
	return slices.ContainsFunc(t.routes, func(r route) bool { return r.name == name && r.catchAll })
}

// answer is what can be told without conditions.
type answer struct {
	candidates []*route
	matches    []Match // final, if no candidate has a condition
	open       bool    // some has
}

func (t *Table) match(mode Mode, in EventInput) []Match {
	a := t.answer(mode, in)
	if !a.open {
		return a.matches
	}
	out, _ := t.decide(mode, in, a.candidates, nil)
	return out
}

func (t *Table) answer(mode Mode, in EventInput) *answer {
	key := cacheKey{
		mode: mode, source: in.Source, kind: in.Kind, model: in.Model, company: in.CompanyID, integration: in.Integration,
		operation: in.Operation, status: in.Status, syncType: in.SyncType,
	}
	if !t.byCompany {
		key.company = ""
	}
	if !t.byIntegration {
		key.integration = ""
	}
	if !t.byOperation {
		key.operation = ""
	}
	if !t.byStatus {
		key.status = ""
	}
	if !t.bySyncType {
		key.syncType = ""
	}
	if a, ok := t.answers.get(key); ok {
		return a
	}
	a := &answer{}
	for i := range t.routes {
		r := &t.routes[i]
		if r.refuses(mode, in) == "" && t.elsewhere(r, mode, in) == "" {
			a.candidates = append(a.candidates, r)
			a.open = a.open || r.conditional()
		}
	}
	if !a.open {
		a.matches, _ = t.decide(mode, in, a.candidates, nil)
		a.matches = slices.Clip(a.matches) // an append by a caller must not write into the answer of another
	}
	t.answers.put(key, a)
	return a
}

func (r *route) conditional() bool {
	return slices.ContainsFunc(r.filters, func(f filter) bool { return f.where != 0 })
}

// refuses returns why the route does not take the input, conditions aside, or "".
func (r *route) refuses(mode Mode, in EventInput) string {
	if mode != ModeEvents && r.mode != mode {
		return fmt.Sprintf("its mode is %s", r.mode)
	}
	for i := range r.filters {
		if reason := r.filters[i].refuses(mode, in); reason != "" {
			return reason
		}
	}
	if mode == ModeEvents {
		return ""
	}
	model := strings.ToUpper(in.Model)
	if len(r.except) > 0 && passes(r.except, model) {
		return fmt.Sprintf("a more precise row of the table takes %q", in.Model)
	}
	if !slices.ContainsFunc(r.to, func(d target) bool { return d.takes(model) }) {
		return fmt.Sprintf("its pack has nothing for %q", in.Model)
	}
	return ""
}

// takes reports whether the destination gets records of the model (upper case).
func (d *target) takes(model string) bool {
	if d.packed == nil {
		return true
	}
	_, ok := d.packed[model]
	return ok
}

// objectFor is the route's object, or the default for what is delivered.
func (d *target) objectFor(mode Mode, model string) string {
	switch {
	case mode == ModeEvents && d.packed == nil && d.object != "":
		return d.object
	case mode == ModeEvents:
		return "events"
	case d.packed[strings.ToUpper(model)] != "":
		return d.packed[strings.ToUpper(model)]
	case d.object != "":
		return d.object
	case model == "":
		return "unknown" // a data-model event that names no model
	default:
		return strings.ToLower(model)
	}
}

// decide asks the candidates in order, those that catch all last. It tells each
// one's verdict to note, if that is not nil.
func (t *Table) decide(mode Mode, in EventInput, candidates []*route, note func(r *route, v Verdict)) (out []Match, stopped string) {
	var asked []verdict
	if len(t.conditions) > 0 {
		asked = make([]verdict, len(t.conditions))
	}
	taken := false
	pass := func(r *route) {
		v := Verdict{Route: r.name}
		switch {
		case stopped != "":
			v.Reason = fmt.Sprintf("route %s stops", stopped)
		case r.catchAll && taken:
			v.Reason = "another route takes it"
		default:
			v.Reason = t.conditionRefuses(r, in, asked)
		}
		if v.Matched = v.Reason == ""; v.Matched {
			taken = true
			if r.stop {
				stopped = r.name
			}
			before := len(out)
			for i := range r.to {
				d := &r.to[i]
				if mode != ModeEvents && !d.takes(strings.ToUpper(in.Model)) {
					continue
				}
				at := slices.IndexFunc(out, func(m Match) bool { return m.Destination == d.name })
				switch {
				case at >= before: // named twice
				case at >= 0:
					v.Shadowed = append(v.Shadowed, d.name)
				default:
					out = append(out, Match{Route: r.name, Destination: d.name, Object: d.objectFor(mode, in.Model), Mode: mode})
				}
			}
			v.Matches = slices.Clone(out[before:])
		}
		if note != nil {
			note(r, v)
		}
	}
	for _, r := range candidates {
		if !r.catchAll {
			pass(r)
		}
	}
	for _, r := range candidates {
		if r.catchAll {
			pass(r)
		}
	}
	return out, stopped
}

// verdict is what a condition said of an input.
type verdict struct {
	asked, holds bool
	err          error
}

// conditionRefuses returns why the conditions do not let the input pass, or "".
// A condition that routes share is asked once.
func (t *Table) conditionRefuses(r *route, in EventInput, asked []verdict) string {
	for _, f := range r.filters {
		if f.where == 0 || in.Assume {
			continue
		}
		v := &asked[f.where-1]
		if !v.asked {
			vars := in.Vars
			if vars == nil {
				vars = new(expr.Vars)
			}
			v.asked = true
			v.holds, v.err = t.conditions[f.where-1].Bool(vars)
		}
		of := ""
		if f.group != "" {
			of = " of the group " + f.group
		}
		switch {
		case v.err != nil:
			if in.Failed != nil {
				in.Failed(r.name, v.err)
			}
			return fmt.Sprintf("where%s cannot be evaluated: %v", of, v.err)
		case !v.holds:
			return fmt.Sprintf("where%s is false", of)
		}
	}
	return ""
}

// Object returns the object that the route by that name sets, "" if it leaves it
// to the default. ok is false when the table has no such route.
func (t *Table) Object(route string) (object string, ok bool) {
	for i := range t.routes {
		if t.routes[i].name == route {
			return t.routes[i].to[0].object, true
		}
	}
	return "", false
}
