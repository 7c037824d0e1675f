package routing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/event"
)

// Records returns the deliveries of a record that changed: what routes in mode
// records want of it, one per destination. The result is shared: do not change it.
func (t *Table) Records(in RecordInput) []Match {
	return t.match(ModeRecords, EventInput{
		Source: in.Source, Kind: event.KindDataModelChanges, Model: in.Model,
		CompanyID: in.CompanyID, Integration: in.Integration, Operation: in.Operation,
	})
}

// Appends returns, one per destination, the deliveries of one change of a
// data-model event that routes in mode changes want, or of any other event as a
// whole. The result is shared: do not change it.
func (t *Table) Appends(in EventInput) []Match {
	if in.Kind == event.KindDataModelChanges {
		return t.match(ModeChanges, in)
	}
	in.Model, in.Operation = "", ""
	return t.match(ModeEvents, in)
}

func (t *Table) match(mode Mode, in EventInput) []Match {
	if !t.byCompany {
		in.CompanyID = ""
	}
	if !t.byIntegration {
		in.Integration = ""
	}
	if !t.byOperation {
		in.Operation = ""
	}
	key := cacheKey{mode, in}
	if out, ok := t.answers.get(key); ok {
		return out
	}
	var out []Match
	for i := range t.routes {
		r := &t.routes[i]
		if r.refuses(mode, in) != "" {
			continue
		}
		for _, d := range r.to {
			if !slices.ContainsFunc(out, func(m Match) bool { return m.Destination == d }) {
				out = append(out, Match{Route: r.name, Destination: d, Object: r.objectFor(mode, in.Model), Mode: mode})
			}
		}
	}
	out = slices.Clip(out) // an append by a caller must not write into the answer of another
	t.answers.put(key, out)
	return out
}

// Object returns the object that the route by that name sets, "" if it leaves it
// to the default. ok is false when the table has no such route.
func (t *Table) Object(route string) (object string, ok bool) {
	for i := range t.routes {
		if t.routes[i].name == route {
			return t.routes[i].object, true
		}
	}
	return "", false
}

// objectFor is the route's object, or the default for what is delivered.
func (r *route) objectFor(mode Mode, model string) string {
	switch {
	case r.object != "":
		return r.object
	case mode == ModeEvents:
		return "events"
	case model == "":
		return "unknown" // a data-model event that names no model
	default:
		return strings.ToLower(model)
	}
}

// refuses returns why the route does not take the input, or "".
func (r *route) refuses(mode Mode, in EventInput) string {
	switch {
	case r.kinds != nil && !r.kinds[in.Kind]:
		return fmt.Sprintf("events does not name %s", in.Kind)
	case mode != ModeEvents && r.mode != mode:
		return fmt.Sprintf("its mode is %s", r.mode)
	case !passes(r.sources, in.Source):
		return fmt.Sprintf("sources does not match %q", in.Source)
	case mode != ModeEvents && !passes(r.models, strings.ToUpper(in.Model)):
		return fmt.Sprintf("models does not match %q", in.Model)
	case mode != ModeEvents && len(r.operations) > 0 && !slices.Contains(r.operations, in.Operation):
		return fmt.Sprintf("operations does not name %s", in.Operation)
	case !passes(r.companies, in.CompanyID):
		return fmt.Sprintf("companies does not match %q", in.CompanyID)
	case !passes(r.integrations, strings.ToUpper(in.Integration)):
		return fmt.Sprintf("integrations does not match %q", in.Integration)
	}
	return ""
}

func passes(filter []config.Pattern, name string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(p config.Pattern) bool { return p.Match(name) })
}
