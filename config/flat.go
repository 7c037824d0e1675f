package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Flat returns the routes that deliver, in the order in which they are asked:
// those of the file with what groups and defaults give them, then one for each
// row of the table of data models. Two calls return the same.
func (c *Config) Flat() []Route {
	root := Route{
		Sources: c.Defaults.Sources, Events: c.Defaults.Events, Companies: c.Defaults.Companies,
		Integrations: c.Defaults.Integrations, Mode: cmp.Or(c.Defaults.Mode, "records"), To: c.Defaults.To,
	}
	var out []Route
	for i := range c.Routes {
		out = flatten(out, c.Routes[i].inherit(&root), []any{"routes", i})
	}
	return append(out, c.table(&root)...)
}

func flatten(out []Route, r Route, path []any) []Route {
	r.Path = path
	if len(r.Routes) == 0 {
		return append(out, r)
	}
	filter := r.Filter()
	filter.Group = r.Name
	// What narrows stays with the group; what is replaced goes to its routes.
	around := Route{
		Mode: r.Mode, Mapping: r.Mapping, For: r.For, To: r.To, Stop: r.Stop, CatchAll: r.CatchAll,
		Within: append(slices.Clip(r.Within), filter),
	}
	for i := range r.Routes {
		child := r.Routes[i].inherit(&around)
		if len(child.Events) == 0 {
			child.Events = r.Events
		}
		out = flatten(out, child, with(path, "routes", i))
	}
	return out
}

// inherit gives the route what it does not say itself.
func (r Route) inherit(from *Route) Route {
	take := func(own *[]string, theirs []string) {
		if len(*own) == 0 {
			*own = theirs
		}
	}
	take(&r.Sources, from.Sources)
	take(&r.Events, from.Events)
	take(&r.Companies, from.Companies)
	take(&r.Integrations, from.Integrations)
	take(&r.To, from.To)
	r.Mode = cmp.Or(r.Mode, from.Mode)
	r.Stop, r.CatchAll = r.Stop || from.Stop, r.CatchAll || from.CatchAll
	r.Within = from.Within
	r.Mapping = r.Mapping.Over(from.Mapping)
	if len(from.For) > 0 {
		both := maps.Clone(from.For)
		for name, m := range r.For {
			both[name] = m.Over(from.For[name])
		}
		r.For = both
	}
	return r
}

// table makes routes of the rows. A row leaves to the more precise ones what
// they match.
func (c *Config) table(root *Route) []Route {
	rows := slices.SortedFunc(maps.Keys(c.Models), morePrecise)
	out := make([]Route, 0, len(rows))
	for i, row := range rows {
		r := Route{
			Name: TableRoute(row), Models: []string{row}, Mode: root.Mode, Sources: root.Sources,
			Companies: root.Companies, Integrations: root.Integrations, To: c.Models[row], Path: []any{"models", row},
		}
		for _, earlier := range rows[:i] {
			r.Except = append(r.Except, strings.ToUpper(earlier))
		}
		out = append(out, r)
	}
	return out
}

// TableRoute is the name of the route that stands for a row of the table.
func TableRoute(row string) string { return "models:" + row }

// morePrecise puts names before patterns, and patterns with more characters of
// their own before those with fewer.
func morePrecise(a, b string) int {
	own := func(s string) int {
		n := len(strings.NewReplacer("*", "", "?", "").Replace(s))
		if Pattern(s).Literal() {
			n += 1 << 20
		}
		return n
	}
	return cmp.Or(cmp.Compare(own(b), own(a)), cmp.Compare(a, b))
}

// Over returns the mapping with what it does not say taken from another one.
// Fields of map and constants are taken one by one.
func (m Mapping) Over(base Mapping) Mapping {
	out := base
	out.Pack = cmp.Or(m.Pack, base.Pack)
	out.Object = cmp.Or(m.Object, base.Object)
	if len(m.Key) > 0 {
		out.Key = m.Key
	}
	if m.Fields != nil {
		out.Fields = m.Fields
	}
	out.Map, out.Constants = over(m.Map, m.Constants, base.Map, base.Constants)
	out.DependsOn = union(m.DependsOn, base.DependsOn)
	if len(m.Expand) > 0 {
		out.Expand = make(Expand, len(m.Expand)+len(base.Expand))
		maps.Copy(out.Expand, base.Expand)
		for name, c := range m.Expand {
			out.Expand[name] = c.over(base.Expand[name])
		}
	}
	return out
}

func (c Child) over(base Child) Child {
	out := base
	out.Object = cmp.Or(c.Object, base.Object)
	out.ID = cmp.Or(c.ID, base.ID)
	if c.Fields != nil {
		out.Fields = c.Fields
	}
	out.Map, out.Constants = over(c.Map, c.Constants, base.Map, base.Constants)
	return out
}

// over joins expressions and constants: a field has one or the other.
func over(m map[string]string, c map[string]any, baseMap map[string]string, baseConstants map[string]any) (map[string]string, map[string]any) {
	outMap, outConstants := union(m, baseMap), union(c, baseConstants)
	for name := range c {
		if _, own := m[name]; !own {
			if _, inherited := baseMap[name]; inherited {
				outMap = without(outMap, name)
			}
		}
	}
	for name := range m {
		if _, own := c[name]; !own {
			if _, inherited := baseConstants[name]; inherited {
				outConstants = without(outConstants, name)
			}
		}
	}
	return outMap, outConstants
}

func without[V any](m map[string]V, name string) map[string]V {
	out := maps.Clone(m)
	delete(out, name)
	return out
}

func union[V any](own, base map[string]V) map[string]V {
	if len(own) == 0 {
		return base
	}
	out := make(map[string]V, len(own)+len(base))
	maps.Copy(out, base)
	maps.Copy(out, own)
	return out
}

// MappingFor is the mapping of the route's records to one of its destinations,
// before a pack.
func (r *Route) MappingFor(destination string) Mapping {
	if m, ok := r.For[destination]; ok {
		return m.Over(r.Mapping)
	}
	return r.Mapping
}
