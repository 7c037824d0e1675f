// Package routing decides which destinations get what. It is pure: a Table is
// made once from the routes of a configuration, never changes, and answers from
// any number of goroutines. Apply asks it inside a ledger transaction, so
// answers are remembered.
//
// A data-model event is delivered as merged records by routes in mode records
// and as single changes by routes in mode changes. Events of every other kind
// are delivered whole, whatever the mode. Where several routes send the same
// thing to the same destination, the first in file order wins.
package routing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/event"
)

// Mode says what a match delivers. The words are those of the plugin contract.
type Mode string

// The modes.
const (
	ModeRecords Mode = "records" // the merged state of a record
	ModeChanges Mode = "changes" // one change as it came
	ModeEvents  Mode = "events"  // an event without records
)

// Match is one delivery that a route asks for.
type Match struct {
	Route       string `json:"route"`
	Destination string `json:"destination"`
	Object      string `json:"object"` // table or object at the destination
	Mode        Mode   `json:"mode"`
}

// RecordInput is what routes see of a record that changed. Operation is what it
// became (see [OperationOf]).
type RecordInput struct {
	Source      string
	Model       string
	CompanyID   string
	Integration string
	Operation   event.Operation
}

// EventInput is what routes see of an event or of one of its changes. Model and
// Operation count for data-model events only.
type EventInput struct {
	Source      string
	Kind        event.Kind
	Model       string
	CompanyID   string
	Integration string
	Operation   event.Operation
}

// OperationOf says what a record became, as routes name it: a deleted record is
// DELETE, version 1 is CREATE, all else UPDATE.
func OperationOf(r *event.Record) event.Operation {
	switch {
	case r.Deleted():
		return event.Delete
	case r.Version <= 1:
		return event.Create
	default:
		return event.Update
	}
}

// Table is a compiled list of routes.
type Table struct {
	routes []route
	// Only what some route asks about is part of what answers are remembered
	// by: without a filter on companies, all companies share an answer.
	byCompany, byIntegration, byOperation bool

	answers cache
}

// route is a config.Route with its filters prepared. An empty filter lets
// everything pass.
type route struct {
	name         string
	sources      []config.Pattern
	kinds        map[event.Kind]bool // nil: every kind
	models       []config.Pattern    // upper case
	operations   []event.Operation
	companies    []config.Pattern
	integrations []config.Pattern // upper case
	mode         Mode
	object       string
	to           []string
}

// Compile prepares the routes. It refuses what config.Parse reports, so that
// routes from elsewhere cannot do what those of a file cannot.
func Compile(routes []config.Route) (*Table, error) {
	t := &Table{routes: make([]route, 0, len(routes))}
	names := make(map[string]bool, len(routes))
	for i, r := range routes {
		c, err := compile(r)
		if err == nil && names[r.Name] {
			err = fmt.Errorf("the name is already used")
		}
		if err != nil {
			return nil, fmt.Errorf("compile routes: route %d %q: %w", i+1, r.Name, err)
		}
		names[r.Name] = true
		t.routes = append(t.routes, c)
		t.byCompany = t.byCompany || len(c.companies) > 0
		t.byIntegration = t.byIntegration || len(c.integrations) > 0
		t.byOperation = t.byOperation || len(c.operations) > 0
	}
	return t, nil
}

func compile(r config.Route) (route, error) {
	c := route{name: r.Name, object: r.Object, to: slices.Clone(r.To)}
	if r.Name == "" {
		return c, fmt.Errorf("it has no name")
	}
	if len(r.To) == 0 || slices.Contains(r.To, "") {
		return c, fmt.Errorf("to names no destination")
	}
	switch r.Mode {
	case "", string(ModeRecords):
		c.mode = ModeRecords
	case string(ModeChanges):
		c.mode = ModeChanges
	default:
		return c, fmt.Errorf("there is no mode %q; use records or changes", r.Mode)
	}

	c.kinds = map[event.Kind]bool{event.KindDataModelChanges: len(r.Events) == 0}
	for _, k := range r.Events {
		if k == config.AllEvents {
			c.kinds = nil
			break
		}
		if !slices.Contains(event.Kinds, event.Kind(k)) {
			return c, fmt.Errorf("there is no kind of event %q", k)
		}
		c.kinds[event.Kind(k)] = true
	}
	for _, o := range r.Operations {
		switch op := event.Operation(o); op {
		case event.Create, event.Update, event.Delete:
			c.operations = append(c.operations, op)
		default:
			return c, fmt.Errorf("there is no operation %q; use CREATE, UPDATE or DELETE", o)
		}
	}

	var err error
	for _, f := range []struct {
		name  string
		in    []string
		out   *[]config.Pattern
		upper bool
	}{
		{"sources", r.Sources, &c.sources, false},
		{"models", r.Models, &c.models, true},
		{"companies", r.Companies, &c.companies, false},
		{"integrations", r.Integrations, &c.integrations, true},
	} {
		if *f.out, err = patterns(f.in, f.upper); err != nil {
			return c, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return c, nil
}

// patterns prepares a filter. One that lets everything pass becomes empty.
func patterns(in []string, upper bool) ([]config.Pattern, error) {
	var out []config.Pattern
	for _, s := range in {
		if err := config.Pattern(s).Check(); err != nil {
			return nil, fmt.Errorf("%q %w", s, err)
		}
		if upper {
			s = strings.ToUpper(s)
		}
		out = append(out, config.Pattern(s))
	}
	if slices.ContainsFunc(out, func(p config.Pattern) bool { return strings.Trim(string(p), "*") == "" }) {
		return nil, nil
	}
	return out, nil
}
