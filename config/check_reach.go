package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/event"
)

// dependency is an edge from a model to one that must be there first.
type dependency struct {
	path []any // of the route that says so
}

// gather notes, by destination and model, what a route wants to be there first.
func (r *routeCheck) gather(rt *Route, to string, models []string, all map[string]map[string]*dependency) {
	for _, model := range r.packed(rt, to, models) {
		m, ok := rt.Resolve(to, model)
		if !ok {
			continue
		}
		for _, parent := range slices.Sorted(maps.Keys(m.DependsOn)) {
			if all[to] == nil {
				all[to] = make(map[string]*dependency)
			}
			key := model + "\x00" + strings.ToUpper(parent)
			if all[to][key] == nil {
				all[to][key] = &dependency{rt.Path}
			}
		}
	}
}

// packed replaces unknown models by those of the pack.
func (r *routeCheck) packed(rt *Route, to string, models []string) []string {
	if name := rt.MappingFor(to).Pack; name != "" && slices.Contains(models, "") {
		if p, err := LoadPack(name); err == nil {
			return slices.Sorted(maps.Keys(p.Models))
		}
	}
	return models
}

// checkCycles refuses models that wait for one another. A model that depends on
// itself, such as accounts with parents, is a tree and fine.
func (r *routeCheck) checkCycles(all map[string]map[string]*dependency) {
	for _, to := range slices.Sorted(maps.Keys(all)) {
		next := make(map[string][]string)
		for _, key := range slices.Sorted(maps.Keys(all[to])) {
			if model, parent, _ := strings.Cut(key, "\x00"); model != parent {
				next[model] = append(next[model], parent)
			}
		}
		if cycle := findCycle(next); cycle != nil {
			path := all[to][cycle[0]+"\x00"+cycle[1]].path
			r.add(with(path, "depends_on"), "remove one of them", "data models wait for one another at %s: %s", to, strings.Join(cycle, " → "))
		}
	}
}

// findCycle returns a cycle, its first model again at the end.
func findCycle(next map[string][]string) []string {
	const open, done = 1, 2
	state := make(map[string]int)
	var way []string
	var visit func(model string) []string
	visit = func(model string) []string {
		switch state[model] {
		case done:
			return nil
		case open:
			return append(slices.Clone(way[slices.Index(way, model):]), model)
		}
		state[model] = open
		way = append(way, model)
		for _, n := range next[model] {
			if c := visit(n); c != nil {
				return c
			}
		}
		state[model] = done
		way = way[:len(way)-1]
		return nil
	}
	for _, model := range slices.Sorted(maps.Keys(next)) {
		if c := visit(model); c != nil {
			return c
		}
	}
	return nil
}

// checkReach warns of routes that can never deliver anything.
func (r *routeCheck) checkReach(flat []Route) {
	for i := range flat {
		rt := &flat[i]
		if clash := rt.clash(); clash != "" {
			r.warn(rt.Path, "name something that the group takes", "matches nothing: %s of the group and of the route have nothing in common", clash)
			continue
		}
		served := make(map[string]string) // destination → route
		for j := range i {
			before := &flat[j]
			if before.CatchAll || before.mode() != rt.mode() || !before.covers(rt) {
				continue
			}
			if before.Stop || rt.CatchAll {
				r.warn(rt.Path, "move it up, or narrow the other one", "is never reached: route %s takes all that it would", quote(before.Name))
				served = nil
				break
			}
			for _, to := range before.To {
				if served[to] == "" {
					served[to] = before.Name
				}
			}
		}
		if served == nil || len(rt.To) == 0 || slices.ContainsFunc(rt.To, func(to string) bool { return served[to] == "" }) {
			continue
		}
		r.warn(rt.Path, "remove it, or move it up: the first route that sends something to a destination wins",
			"delivers nothing: route %s sends the same to %s", quote(served[rt.To[0]]), rt.To[0])
	}
}

func (rt *Route) mode() string {
	if rt.Mode == "" {
		return "records"
	}
	return rt.Mode
}

// lists are the filters that are lists, by name.
func (f *Filter) lists() map[string][]string {
	return map[string][]string{
		"sources": f.Sources, "models": f.Models, "operations": f.Operations, "companies": f.Companies,
		"integrations": f.Integrations, "sync_types": f.SyncTypes, "statuses": f.Statuses,
	}
}

// clash names a filter of which a group and the route within can never both
// match: only where all of one side are plain names.
func (rt *Route) clash() string {
	own := rt.Filter()
	for _, w := range rt.Within {
		theirs := w.lists()
		for name, list := range own.lists() {
			if len(list) == 0 || len(theirs[name]) == 0 {
				continue
			}
			meet := slices.ContainsFunc(list, func(a string) bool {
				return slices.ContainsFunc(theirs[name], func(b string) bool { return mayMeet(a, b) })
			})
			if !meet {
				return name
			}
		}
	}
	return ""
}

func mayMeet(a, b string) bool {
	a, b = strings.ToUpper(a), strings.ToUpper(b)
	switch {
	case Pattern(a).Literal():
		return Pattern(b).Match(a)
	case Pattern(b).Literal():
		return Pattern(a).Match(b)
	}
	return true
}

// covers reports whether the route surely takes whatever the other one takes.
func (rt *Route) covers(other *Route) bool {
	if len(rt.Except) > 0 || rt.Mapping.Pack != "" && len(rt.Models) == 0 {
		return false
	}
	mine, theirs := rt.Filter(), other.Filter()
	if !kindsCover(rt.Events, other.Events) {
		return false
	}
	for _, f := range append(slices.Clone(rt.Within), mine) {
		if f.Where != "" {
			return false
		}
		lists := theirs.lists()
		for name, list := range f.lists() {
			if len(list) == 0 {
				continue
			}
			if len(lists[name]) == 0 {
				return false
			}
			for _, want := range lists[name] {
				if !slices.ContainsFunc(list, func(p string) bool {
					return strings.EqualFold(p, want) || Pattern(want).Literal() && Pattern(strings.ToUpper(p)).Match(strings.ToUpper(want))
				}) {
					return false
				}
			}
		}
	}
	return true
}

func kindsCover(mine, theirs []string) bool {
	all := func(list []string) []string {
		if len(list) == 0 {
			return []string{string(event.KindDataModelChanges)}
		}
		return list
	}
	if slices.Contains(mine, AllEvents) {
		return true
	}
	for _, kind := range all(theirs) {
		if !slices.Contains(all(mine), kind) {
			return false
		}
	}
	return true
}

// Resolve returns the mapping of a data model to a destination with what its
// pack has for the model. ok is false when the pack has nothing for it: the
// route does not take the model then.
func (rt *Route) Resolve(to, model string) (m Mapping, ok bool) {
	m = rt.MappingFor(to)
	if m.Pack == "" {
		return m, true
	}
	p, err := LoadPack(m.Pack)
	if err != nil {
		return m, false
	}
	of, ok := p.Models[strings.ToUpper(model)]
	return m.Over(of), ok
}

// Gives reports whether the mapping may give a field of that name.
func (m *Mapping) Gives(name string) bool {
	if _, ok := m.Map[name]; ok {
		return true
	}
	if _, ok := m.Constants[name]; ok {
		return true
	}
	return m.Fields != nil || len(m.Map)+len(m.Constants) == 0
}

// ItemModel is the data model of the elements of a list of records, "" if the
// catalog has none.
func ItemModel(model, field string) string {
	name := strings.ToUpper(field)
	for _, group := range []string{"PAYMENT_", "ECOMMERCE_", "CRM_"} {
		if strings.HasPrefix(model, group) {
			name = group + name
		}
	}
	return name
}

// String describes where a filter comes from.
func (f *Filter) String() string {
	if f.Group == "" {
		return "the route"
	}
	return fmt.Sprintf("the group %s", f.Group)
}
