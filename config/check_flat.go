package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/sluicehq/sluice/config/expr"
)

// checkFlat checks what shows only when groups, defaults and packs are put
// together: expressions against the models that they are about, and orders that
// can never be kept.
func (r *routeCheck) checkFlat() {
	said := make(map[string]bool) // a mistake of a group would come with each of its routes
	parents := make(map[string]map[string]*dependency)
	flat := r.conf.Flat()
	whole := true // all of them are understood
	for i := range flat {
		rt := &flat[i]
		path := rt.Path
		if r.brokenWithin(path[:2]) {
			whole = false
			continue
		}
		models := rt.KnownModels()
		for j := 0; j <= len(rt.Within); j++ {
			where, at := rt.Where, path
			if j < len(rt.Within) {
				where, at = rt.Within[j].Where, path[:2*(j+1)]
			}
			r.checkExpression(where, with(at, "where"), models, "", true, said)
		}
		for _, to := range rt.To {
			r.checkMapping(rt, to, models, said)
			r.gather(rt, to, models, parents)
		}
	}
	if whole {
		r.checkCycles(parents)
		r.checkReach(flat)
	}
}

// KnownModels lists the data models of the catalog that the route takes, or ""
// alone if it takes all or none of them.
func (rt *Route) KnownModels() []string {
	named := len(rt.Models) > 0
	fits := func(list []string, model string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(p string) bool { return Pattern(strings.ToUpper(p)).Match(model) })
	}
	for _, w := range rt.Within {
		named = named || len(w.Models) > 0
	}
	if !named {
		return []string{""}
	}
	out := expr.KnownModels(func(model string) bool {
		for _, w := range rt.Within {
			if !fits(w.Models, model) {
				return false
			}
		}
		return fits(rt.Models, model) && !slices.ContainsFunc(rt.Except, func(p string) bool { return Pattern(p).Match(model) })
	})
	if len(out) == 0 {
		return []string{""}
	}
	return out
}

// checkExpression reports each problem of an expression once, though it is
// checked for every model.
func (r *routeCheck) checkExpression(source string, path []any, models []string, item string, condition bool, said map[string]bool) {
	if source == "" {
		if condition && r.has(path...) && r.ok(path...) && !said[identity(path)] {
			said[identity(path)] = true
			r.add(path, "write a condition, or remove the key", "must not be empty")
		}
		return
	}
	say := func(p expr.Problem, warning bool) {
		id := fmt.Sprintf("%s %d:%d %s", identity(path), p.Line, p.Column, p.Text)
		if said[id] {
			return
		}
		said[id] = true
		hint := ""
		if p.Word != "" {
			hint = didYouMean(p.Word, "known:", p.Known)
		}
		n, _, _ := locate(r.root, path)
		line, column := within(n, p.Line, p.Column)
		r.addAt(line, column, path, hint, p.Text)
		if warning {
			r.list[len(r.list)-1].Severity = SeverityWarning
		}
	}
	unknown := make(map[string]int) // warnings, by what they say of which field
	var warnings []expr.Problem
	for _, model := range models {
		c, err := expr.Check(source, expr.Scope{Model: model, Item: item})
		if bad, ok := errors.AsType[*expr.SyntaxError](err); ok {
			for _, p := range bad.Problems {
				say(p, false)
			}
			return
		}
		if err != nil {
			r.add(path, "", "%v", err)
			return
		}
		if condition && c.Type != "boolean" && c.Type != "" {
			say(expr.Problem{Line: 1, Column: 1, Text: "a condition must be true or false, this is " + c.Type}, false)
			return
		}
		for _, p := range c.Warnings {
			key := fmt.Sprint(p.Line, ":", p.Column)
			if unknown[key]++; unknown[key] == 1 {
				warnings = append(warnings, p)
			}
		}
	}
	// A field that one of the models has is no mistake.
	for _, p := range warnings {
		if unknown[fmt.Sprint(p.Line, ":", p.Column)] == len(models) {
			say(p, true)
		}
	}
}

// within is the place of a character of a text that stands in the file; the
// beginning of the text where it cannot be told.
func within(n *yaml.Node, line, column int) (int, int) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return n.Line, n.Column
	case n.Style == 0 && line == 1 && !strings.Contains(n.Value, "${"):
		return n.Line, n.Column + column - 1
	case n.Style == yaml.SingleQuotedStyle && line == 1 && !strings.Contains(n.Value, "'") && !strings.Contains(n.Value, "${"):
		return n.Line, n.Column + column
	}
	return n.Line, n.Column
}

// checkMapping checks the expressions of the mapping to one destination for each
// model, with what the pack has for it.
func (r *routeCheck) checkMapping(rt *Route, to string, models []string, said map[string]bool) {
	m := rt.MappingFor(to)
	if m.Pack == "" {
		r.checkFields(rt, to, m, models, said)
		return
	}
	p, err := LoadPack(m.Pack)
	if err != nil {
		return // reported
	}
	for _, model := range models {
		if model == "" {
			for _, name := range slices.Sorted(maps.Keys(p.Models)) {
				r.checkFields(rt, to, m.Over(p.Models[name]), []string{name}, said)
			}
			continue
		}
		if of, ok := p.Models[model]; ok {
			r.checkFields(rt, to, m.Over(of), []string{model}, said)
		} else if slices.Contains(rt.Models, model) {
			key := fmt.Sprint(rt.Path, " pack ", model)
			if !said[key] {
				said[key] = true
				r.warn(r.placeOf(rt, to, "pack"), "it has "+strings.Join(slices.Sorted(maps.Keys(p.Models)), ", "),
					"the pack %s has nothing for %s: this route does not take it", m.Pack, model)
			}
		}
	}
}

func (r *routeCheck) checkFields(rt *Route, to string, m Mapping, models []string, said map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(m.Map)) {
		if path := r.placeOf(rt, to, "map", name); path != nil {
			r.checkExpression(m.Map[name], path, models, "", false, said)
		}
	}
	for field, c := range m.Expand {
		for _, name := range slices.Sorted(maps.Keys(c.Map)) {
			if path := r.placeOf(rt, to, "expand", field, "map", name); path != nil {
				r.checkExpression(c.Map[name], path, models, ItemModel(models[0], field), false, said)
			}
		}
	}
	for _, name := range m.Key {
		at := r.placeOf(rt, to, "key")
		if id := identity(at) + " " + name; !m.Gives(name) && !said[id] {
			said[id] = true
			r.add(at, "add it to map, constants or fields", "the mapping has no field %s", quote(name))
		}
	}
}

// placeOf finds where the file says a part of a mapping: for the destination, in
// the route, or in a group around it. nil if it is not from the file.
func (r *routeCheck) placeOf(rt *Route, to string, steps ...any) []any {
	for n := len(rt.Path); n >= 2; n -= 2 {
		for _, prefix := range [][]any{{"for", to}, nil} {
			if at := with(with(rt.Path[:n], prefix...), steps...); r.has(at...) {
				return at
			}
		}
	}
	return nil
}
