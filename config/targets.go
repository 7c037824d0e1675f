package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Target is an object of a destination that routes write records to, with the
// fields that mappings name. Fields that pass under their own names are not
// among them: which a record has shows only when it comes.
type Target struct {
	Destination, Object string
	Path                []any         // where the file says so, for [File.Diagnose]
	Fields              []TargetField // by name
}

// TargetField is a field that a mapping names.
type TargetField struct {
	Name string
	Path []any
}

// Targets lists the objects that are known before a record comes, by destination
// and object.
func (f *File) Targets() []Target {
	t := targets{routeCheck: routeCheck{report: f.report, conf: f.Config}, all: make(map[[2]string]*Target)}
	for _, rt := range f.Config.Flat() {
		if len(rt.Events) > 0 && !slices.Contains(rt.Events, "data_model_changes") && !slices.Contains(rt.Events, AllEvents) {
			continue
		}
		for _, to := range rt.To {
			for _, model := range t.packed(&rt, to, rt.KnownModels()) {
				if m, ok := rt.Resolve(to, model); ok {
					t.add(&rt, to, model, m)
				}
			}
		}
	}
	out := make([]Target, 0, len(t.all))
	for _, one := range t.all {
		slices.SortFunc(one.Fields, func(a, b TargetField) int { return cmp.Compare(a.Name, b.Name) })
		out = append(out, *one)
	}
	slices.SortFunc(out, func(a, b Target) int {
		return cmp.Or(cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Object, b.Object))
	})
	return out
}

type targets struct {
	routeCheck
	all map[[2]string]*Target
}

func (t *targets) add(rt *Route, to, model string, m Mapping) {
	// What the file does not say itself is said by its pack, or by the route.
	place := func(steps ...any) []any {
		for _, at := range [][]any{t.placeOf(rt, to, steps...), t.placeOf(rt, to, "pack")} {
			if at != nil {
				return at
			}
		}
		return rt.Path
	}
	object := cmp.Or(m.Object, strings.ToLower(model))
	if object == "" {
		return
	}
	target := t.target(to, object, place("object"))
	for i, name := range m.Key {
		target.name(name, place("key", i))
	}
	target.names(m.Fields, m.Map, m.Constants, place)
	for _, list := range slices.Sorted(maps.Keys(m.Expand)) {
		c := m.Expand[list]
		within := func(steps ...any) []any { return place(append([]any{"expand", list}, steps...)...) }
		path := within("object")
		if c.Object == "" {
			path = within()
		}
		child := t.target(to, cmp.Or(c.Object, object+"_"+list), path)
		child.names(c.Fields, c.Map, c.Constants, within)
	}
}

func (t *targets) target(to, object string, path []any) *Target {
	key := [2]string{to, object}
	if t.all[key] == nil {
		t.all[key] = &Target{Destination: to, Object: object, Path: path}
	}
	return t.all[key]
}

func (t *Target) names(f *Fields, exprs map[string]string, constants map[string]any, place func(...any) []any) {
	for _, name := range slices.Sorted(maps.Keys(exprs)) {
		t.name(name, place("map", name))
	}
	for _, name := range slices.Sorted(maps.Keys(constants)) {
		t.name(name, place("constants", name))
	}
	if f == nil {
		return
	}
	for _, from := range slices.Sorted(maps.Keys(f.Rename)) {
		t.name(f.Rename[from], place("fields", "rename", from))
	}
	for i, name := range f.Include {
		if _, renamed := f.Rename[name]; !renamed && Pattern(name).Literal() {
			t.name(name, place("fields", "include", i))
		}
	}
}

func (t *Target) name(name string, path []any) {
	if !slices.ContainsFunc(t.Fields, func(f TargetField) bool { return f.Name == name }) {
		t.Fields = append(t.Fields, TargetField{name, path})
	}
}
