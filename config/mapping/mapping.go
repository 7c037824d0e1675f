// Package mapping makes of a record what a destination gets, as the routes of a
// configuration say. It is pure: a set of plans is made once, never changes and
// may be used from any number of goroutines. What plugins get is decided here
// and nowhere else, so that an explanation shows exactly that.
package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/plugins/destination"
)

// Plans are the mappings of all routes.
type Plans struct {
	byRoute  map[string]map[string]*target // route → destination
	fallback *Plan
}

// target is what a route does for one destination.
type target struct {
	packed map[string]*Plan // by data model; nil without a pack
	plan   *Plan
}

// Compile prepares the mappings of routes that [config.Config.Flat] returned.
func Compile(routes []config.Route) (*Plans, error) {
	out := &Plans{byRoute: make(map[string]map[string]*target), fallback: plain()}
	for i := range routes {
		r := &routes[i]
		targets := make(map[string]*target, len(r.To))
		for _, to := range r.To {
			t, err := compileTarget(r, to)
			if err != nil {
				return nil, fmt.Errorf("compile mapping of route %s to %s: %w", r.Name, to, err)
			}
			targets[to] = t
		}
		out.byRoute[r.Name] = targets
	}
	return out, nil
}

func compileTarget(r *config.Route, to string) (*target, error) {
	m := r.MappingFor(to)
	if m.Pack == "" {
		p, err := compile(m)
		return &target{plan: p}, err
	}
	pack, err := config.LoadPack(m.Pack)
	if err != nil {
		return nil, err
	}
	out := &target{packed: make(map[string]*Plan, len(pack.Models))}
	// What the route itself says is for events, which no pack is about.
	if out.plan, err = compile(config.Mapping{}); err != nil {
		return nil, err
	}
	for model := range pack.Models {
		resolved, _ := r.Resolve(to, model)
		if out.packed[model], err = compile(resolved); err != nil {
			return nil, fmt.Errorf("pack %s: %s: %w", m.Pack, model, err)
		}
	}
	return out, nil
}

// For returns the plan of a route's records of a data model at a destination. A
// route that left the configuration while its deliveries waited has the plan of
// a route that says nothing.
func (p *Plans) For(route, to, model string) *Plan {
	if p == nil {
		return plain()
	}
	t := p.byRoute[route][to]
	if t == nil {
		return p.fallback
	}
	if plan := t.packed[strings.ToUpper(model)]; plan != nil {
		return plan
	}
	return t.plan
}

// plain is the plan of a route that says nothing.
func plain() *Plan { return &Plan{fields: shape{pass: &passing{}}} }

// Plan is the mapping of records to one destination. Two deliveries with the
// same plan, model and mode may share a call.
type Plan struct {
	object   string
	key      []string // nil: the key of the record
	fields   shape
	children []child
	parents  []Parent
	types    sync.Map // model → map[string]destination.FieldType
	mapped   bool     // it says more than the object
}

// Mapped reports whether the plan says anything but the object.
func (p *Plan) Mapped() bool { return p.mapped }

// Parent is a data model whose record must be at the destination first, and the
// field that holds its platform id.
type Parent struct{ Model, Field string }

// Parents lists what records of this plan depend on, in a fixed order.
func (p *Plan) Parents() []Parent { return p.parents }

// child is what becomes of the elements of a list.
type child struct {
	field  string
	object string
	id     string
	fields shape
}

// shape says which fields go, and how.
type shape struct {
	pass      *passing // nil: none are passed on
	named     []named  // by target
	constants map[string][]byte
	exclude   []config.Pattern

	bySource map[string][]string // targets that are nothing but one field
	always   []string            // other targets that the mapping names
}

// passing is what fields.include, exclude and rename say.
type passing struct {
	include []config.Pattern // empty: all
	rename  map[string]string
}

// named is a field with an expression.
type named struct {
	target string
	value  *expr.Program
	source string // the field that it is, if it is nothing but one
}

func compile(m config.Mapping) (*Plan, error) {
	p := &Plan{object: m.Object, key: m.Key}
	p.mapped = len(m.Key)+len(m.Map)+len(m.Constants)+len(m.Expand)+len(m.DependsOn) > 0 || m.Fields != nil
	var err error
	if p.fields, err = compileShape(m.Fields, m.Map, m.Constants); err != nil {
		return nil, err
	}
	for _, field := range slices.Sorted(maps.Keys(m.Expand)) {
		c := m.Expand[field]
		out := child{field: field, object: c.Object, id: c.ID}
		if out.fields, err = compileShape(c.Fields, c.Map, c.Constants); err != nil {
			return nil, fmt.Errorf("expand: %s: %w", field, err)
		}
		for i := range out.fields.named {
			// There record is the one around, so no expression is a field of what is mapped.
			out.fields.named[i].source = ""
		}
		p.children = append(p.children, out)
		// The list itself does not go as well, unless the mapping names it.
		p.fields.exclude = append(p.fields.exclude, config.Pattern(field))
	}
	for _, model := range slices.Sorted(maps.Keys(m.DependsOn)) {
		p.parents = append(p.parents, Parent{strings.ToUpper(model), m.DependsOn[model]})
	}
	return p, nil
}

func compileShape(f *config.Fields, exprs map[string]string, constants map[string]any) (shape, error) {
	var s shape
	if f != nil {
		s.pass = &passing{rename: f.Rename}
		for _, p := range f.Include {
			s.pass.include = append(s.pass.include, config.Pattern(p))
		}
		for _, p := range f.Exclude {
			s.exclude = append(s.exclude, config.Pattern(p))
		}
	} else if len(exprs)+len(constants) == 0 {
		s.pass = &passing{}
	}
	excluded := func(name string) bool {
		return slices.ContainsFunc(s.exclude, func(p config.Pattern) bool { return p.Match(name) })
	}
	for _, name := range slices.Sorted(maps.Keys(exprs)) {
		if excluded(name) {
			continue
		}
		p, err := expr.Compile(exprs[name])
		if err != nil {
			return s, fmt.Errorf("map: %s: %w", name, err)
		}
		s.named = append(s.named, named{name, p, p.Checked().Field})
	}
	s.bySource = make(map[string][]string)
	for _, n := range s.named {
		if n.source == "" {
			s.always = append(s.always, n.target)
		} else {
			s.bySource[n.source] = append(s.bySource[n.source], n.target)
		}
	}
	for name, v := range constants {
		if excluded(name) {
			continue
		}
		raw, err := config.JSON(v)
		if err != nil {
			return s, fmt.Errorf("constants: %s: %w", name, err)
		}
		if s.constants == nil {
			s.constants = make(map[string][]byte, len(constants))
		}
		s.constants[name] = raw
		s.always = append(s.always, name)
	}
	return s, nil
}

// typesOf gives the types of the fields at the destination, as far as they are
// known: those of the catalog for fields that pass, those of expressions.
func (s *shape) typesOf(known map[string]destination.FieldType, scope expr.Scope) map[string]destination.FieldType {
	out := make(map[string]destination.FieldType, len(known))
	if s.pass != nil {
		for name, t := range known {
			if target, ok := s.passes(name); ok {
				out[target] = t
			}
		}
	}
	for _, n := range s.named {
		delete(out, n.target)
		c, err := expr.Check(n.value.String(), scope)
		if err == nil && c.Type != "" {
			out[n.target] = destination.FieldType(c.Type)
		}
	}
	return out
}

// passes returns the name at the destination of a field that passes.
func (s *shape) passes(name string) (target string, ok bool) {
	match := func(p config.Pattern) bool { return p.Match(name) }
	if s.pass == nil || len(s.pass.include) > 0 && !slices.ContainsFunc(s.pass.include, match) || slices.ContainsFunc(s.exclude, match) {
		return "", false
	}
	if to, ok := s.pass.rename[name]; ok {
		return to, true
	}
	return name, true
}
