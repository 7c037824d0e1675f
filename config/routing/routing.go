// Package routing decides which destinations get what. It is pure: a Table is
// made once from the routes of a configuration, never changes, and answers from
// any number of goroutines. Apply asks it inside a ledger transaction, so
// answers are remembered.
//
// A data-model event is delivered as merged records by routes in mode records
// and as single changes by routes in mode changes. Events of every other kind
// are delivered whole, whatever the mode. Where several routes send the same
// thing to the same destination, the first in file order wins. A route with stop
// keeps what it matches from later routes, and one with catch_all takes what no
// other route takes.
//
// What can be told from the key of a record or the envelope of an event is
// remembered; conditions are evaluated each time.
package routing

import (
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/expr"
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
	// Vars are what conditions see. Nil: every field is null.
	Vars *expr.Vars
	// Failed is told of conditions that cannot be evaluated: their routes do not
	// match. The error holds no values. May be nil.
	Failed func(route string, err error)
	// Assume takes conditions to hold.
	Assume bool
}

// EventInput is what routes see of an event or of one of its changes. Model and
// Operation count for data-model events only, Status and SyncType for events
// that have them.
type EventInput struct {
	Source      string
	Kind        event.Kind
	Model       string
	CompanyID   string
	Integration string
	Operation   event.Operation
	Status      string
	SyncType    string
	Vars        *expr.Vars                    // as in RecordInput
	Failed      func(route string, err error) // as in RecordInput
	Assume      bool                          // as in RecordInput
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
	routes     []route
	conditions []*expr.Program
	// Only what some route asks about is part of what answers are remembered
	// by: without a filter on companies, all companies share an answer.
	byCompany, byIntegration, byOperation, byStatus, bySyncType bool
	history                                                     bool // see [Table.History]

	answers cache
}

// route is a config.Route with its filters prepared: its own and those of the
// groups around it.
type route struct {
	name     string
	filters  []filter // its own is the last
	except   []config.Pattern
	mode     Mode
	stop     bool
	catchAll bool
	to       []target
}

// target is a destination of a route.
type target struct {
	name   string
	object string
	// packed are the models that the pack has something for, with their objects;
	// nil without a pack.
	packed map[string]string
}

// Compile prepares routes that [config.Config.Flat] returned. It refuses what
// config.Parse reports, so that routes from elsewhere cannot do what those of a
// file cannot.
func Compile(routes []config.Route) (*Table, error) {
	t := &Table{routes: make([]route, 0, len(routes))}
	names := make(map[string]bool, len(routes))
	conditions := make(map[string]int)
	for i, r := range routes {
		c, err := t.compile(r, conditions)
		if err == nil && names[r.Name] {
			err = fmt.Errorf("the name is already used")
		}
		if err != nil {
			return nil, fmt.Errorf("compile routes: route %d %q: %w", i+1, r.Name, err)
		}
		names[r.Name] = true
		t.routes = append(t.routes, c)
		for _, f := range c.filters {
			t.byCompany = t.byCompany || len(f.companies) > 0
			t.byIntegration = t.byIntegration || len(f.integrations) > 0
			t.byOperation = t.byOperation || len(f.operations) > 0
			t.byStatus = t.byStatus || len(f.statuses) > 0
			t.bySyncType = t.bySyncType || len(f.syncTypes) > 0
		}
	}
	return t, nil
}

// History reports whether some condition asks what a record was before, for the
// change or for the event.
func (t *Table) History() bool { return t.history }

// Conditional reports whether any route has a condition.
func (t *Table) Conditional() bool { return len(t.conditions) > 0 }

func (t *Table) compile(r config.Route, conditions map[string]int) (route, error) {
	c := route{name: r.Name, stop: r.Stop, catchAll: r.CatchAll}
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
	for i, f := range append(slices.Clone(r.Within), r.Filter()) {
		compiled, err := compileFilter(f, i == len(r.Within))
		if err != nil {
			return c, fmt.Errorf("%s: %w", &f, err)
		}
		if f.Where != "" {
			if compiled.where, err = t.condition(f.Where, conditions); err != nil {
				return c, fmt.Errorf("%s: where: %w", &f, err)
			}
		}
		c.filters = append(c.filters, compiled)
	}
	for _, p := range r.Except {
		c.except = append(c.except, config.Pattern(p))
	}
	for _, d := range r.To {
		to, err := compileTarget(&r, d)
		if err != nil {
			return c, err
		}
		c.to = append(c.to, to)
	}
	return c, nil
}

// condition compiles a condition once, however many routes share it.
func (t *Table) condition(source string, known map[string]int) (int, error) {
	if i, ok := known[source]; ok {
		return i, nil
	}
	p, err := expr.Compile(source)
	if err != nil {
		return 0, err
	}
	t.conditions = append(t.conditions, p)
	t.history = t.history || p.Checked().History
	known[source] = len(t.conditions)
	return len(t.conditions), nil
}

func compileTarget(r *config.Route, to string) (target, error) {
	m := r.MappingFor(to)
	out := target{name: to, object: m.Object}
	if m.Pack == "" {
		return out, nil
	}
	pack, err := config.LoadPack(m.Pack)
	if err != nil {
		return out, err
	}
	out.packed = make(map[string]string, len(pack.Models))
	for model := range pack.Models {
		resolved, _ := r.Resolve(to, model)
		out.packed[model] = resolved.Object
	}
	return out, nil
}
