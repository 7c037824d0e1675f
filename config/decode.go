package config

import (
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// decoder fills the configuration's structs from nodes, as their tags say.
type decoder struct {
	substituter
	known map[reflect.Type][]field
}

func (d *decoder) fields(t reflect.Type) []field {
	fs, ok := d.known[t]
	if !ok {
		fs = fieldsOf(t)
		d.known[t] = fs
	}
	return fs
}

// setDefaults gives the fields of a struct the values that they have when the
// file does not name them.
func (d *decoder) setDefaults(v reflect.Value) {
	for _, f := range d.fields(v.Type()) {
		fv := v.FieldByIndex(f.index)
		switch {
		case f.def != "":
			if problem, _ := setText(fv, f, f.def); problem != "" {
				panic("config: default of " + f.key + " " + problem)
			}
		case f.typ.Kind() == reflect.Struct && f.typ != authType:
			d.setDefaults(fv)
		}
	}
}

// value decodes a node into v. Whatever is wrong is reported; v keeps its
// default then.
func (d *decoder) value(n *yaml.Node, path []any, v reflect.Value, f field) {
	t := v.Type()
	switch {
	case t == authType:
		d.auth(n, path, v.Addr().Interface().(*SourceAuth))
		return
	case t == expandType:
		d.expand(n, path, v, f)
		return
	case t == settingsType:
		if d.isMapping(n, path, f) {
			v.Set(reflect.ValueOf(d.settings(n, path)))
		}
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		d.structure(n, path, v, f)
	case reflect.Pointer:
		p := reflect.New(t.Elem())
		d.setDefaults(p.Elem())
		d.structure(n, path, p.Elem(), f)
		v.Set(p)
	case reflect.Map:
		d.mapping(n, path, v, f)
	case reflect.Slice:
		d.sequence(n, path, v, f)
	default:
		d.scalarValue(n, path, v, f)
	}
}

// isMapping accepts a mapping, and nothing at all: a key whose settings are all
// commented out.
func (d *decoder) isMapping(n *yaml.Node, path []any, f field) bool {
	if n.Kind == yaml.MappingNode || n.Tag == "!!null" {
		return true
	}
	hint := "put its settings on the lines below, indented"
	d.fail(n, path, hint, "must be a mapping, not %s", describe(n))
	return false
}

// each calls f for every key of a mapping, duplicates left out.
func (d *decoder) each(n *yaml.Node, path []any, f func(key, value *yaml.Node, path []any)) {
	if n.Kind != yaml.MappingNode {
		return
	}
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		p := with(path, k.Value)
		if line, twice := lines[k.Value]; twice {
			d.addNode(k, p, "keep one of them", "is already set at %s", d.texts.place(line, k.Line))
			continue
		}
		lines[k.Value] = k.Line
		f(k, n.Content[i+1], p)
	}
}

func (d *decoder) structure(n *yaml.Node, path []any, v reflect.Value, f field) {
	if !d.isMapping(n, path, f) {
		return
	}
	fields := d.fields(v.Type())
	var excused []string // settings that are there under a misspelled key
	seen := make(map[string]bool, len(fields))
	type unknown struct {
		key  *yaml.Node
		path []any
	}
	var unknowns []unknown
	d.each(n, path, func(k, value *yaml.Node, p []any) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == k.Value })
		if i < 0 {
			unknowns = append(unknowns, unknown{k, p})
			return
		}
		seen[k.Value] = true
		d.value(value, p, v.FieldByIndex(fields[i].index), fields[i])
	})
	var free []string // settings that an unknown key may stand for
	for _, f := range fields {
		if !seen[f.key] {
			free = append(free, f.key)
		}
	}
	for _, u := range unknowns {
		hint := ""
		if u.key.Value == "tests" && v.Type() == reflect.TypeFor[Config]() {
			hint = "tests are in files of their own, which sluice test runs"
		} else if c, ok := Nearest(u.key.Value, free); ok {
			excused = append(excused, c)
			d.broken[identity(with(path, c))] = true
			hint = "did you mean " + c + "?"
		} else {
			hint = didYouMean(u.key.Value, "known here:", keysOf(fields))
		}
		d.addNode(u.key, u.path, hint, "unknown key")
	}
	for _, f := range fields {
		if f.required && !seen[f.key] && !slices.Contains(excused, f.key) {
			d.fail(n, with(path, f.key), f.explain(), "is required")
		}
	}
}

func (d *decoder) mapping(n *yaml.Node, path []any, v reflect.Value, f field) {
	if !d.isMapping(n, path, f) {
		return
	}
	t := v.Type()
	out := reflect.MakeMap(t)
	d.each(n, path, func(k, value *yaml.Node, p []any) {
		e := reflect.New(t.Elem()).Elem()
		if e.Kind() == reflect.Struct {
			d.setDefaults(e)
		}
		d.value(value, p, e, field{typ: t.Elem(), secret: f.secret})
		out.SetMapIndex(reflect.ValueOf(k.Value), e)
	})
	v.Set(out)
}

// sequence keeps an element for every item, understood or not, so that indexes in
// the configuration are those of the file.
func (d *decoder) sequence(n *yaml.Node, path []any, v reflect.Value, f field) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
	case n.Kind == yaml.SequenceNode:
	case n.Kind == yaml.ScalarNode && v.Type().Elem().Kind() == reflect.String:
		hint := "write a list: [" + n.Value + "]"
		if f.secret || strings.Contains(n.Value, "${") || len(n.Value) > 60 {
			hint = "put it in brackets: [ … ]"
		}
		d.fail(n, path, hint, "must be a list, not %s", describe(n))
		return
	default:
		d.fail(n, path, "begin each item with -", "must be a list, not %s", describe(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		e := out.Index(i)
		if e.Kind() == reflect.Struct {
			d.setDefaults(e)
		}
		d.value(item, with(path, i), e, field{typ: e.Type(), secret: f.secret, enum: f.enum, required: e.Kind() == reflect.String})
	}
	if f.required && len(n.Content) == 0 {
		d.fail(n, path, f.explain(), "must not be empty")
	}
	v.Set(out)
}

// auth decodes the word none or a list of checks.
func (d *decoder) auth(n *yaml.Node, path []any, a *SourceAuth) {
	if n.Kind == yaml.ScalarNode {
		text, _, ok := d.scalar(n, path)
		switch {
		case !ok:
		case n.Tag == "!!null":
			d.fail(n, path, "list a check, or write the word none", "has no value")
		case text == "none":
			a.None = true
		default:
			d.fail(n, path, "write a list of checks, or the word none", "must be a list of checks or none, not %s", describe(n))
		}
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "begin each check with -", "must be a list of checks or none, not %s", describe(n))
		return
	}
	if len(n.Content) == 0 {
		d.fail(n, path, "list a check, or write the word none", "must not be empty")
		return
	}
	a.Entries = make([]AuthEntry, len(n.Content))
	for i, item := range n.Content {
		p := with(path, i)
		e := reflect.ValueOf(&a.Entries[i]).Elem()
		before := len(d.list)
		d.structure(item, p, e, field{})
		if len(d.list) > before || item.Kind != yaml.MappingNode {
			if item.Tag == "!!null" {
				d.fail(item, p, "write one of "+strings.Join(keysOf(d.fields(e.Type())), ", "), "is empty")
			}
			continue
		}
		if len(item.Content) != 2 {
			d.fail(item, p, "write each check as an item of its own; all of them must pass", "must name exactly one check, not %d", len(item.Content)/2)
		}
	}
}

// expand decodes the name of a list, several names, or settings by name.
func (d *decoder) expand(n *yaml.Node, path []any, v reflect.Value, f field) {
	switch {
	case n.Kind == yaml.MappingNode || n.Tag == "!!null":
		d.mapping(n, path, v, f)
		return
	case n.Kind == yaml.ScalarNode:
		if name, _, ok := d.scalar(n, path); ok {
			v.Set(reflect.ValueOf(Expand{name: {}}))
		}
		return
	case n.Kind != yaml.SequenceNode:
		d.fail(n, path, "name a field that holds a list", "must be a name, a list of names or a mapping, not %s", describe(n))
		return
	}
	out := make(Expand, len(n.Content))
	for i, item := range n.Content {
		p := with(path, i)
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			d.fail(item, p, "name a field that holds a list", "must be a name, not %s", describe(item))
			continue
		}
		if name, _, ok := d.scalar(item, p); ok {
			out[name] = Child{}
		}
	}
	v.Set(reflect.ValueOf(out))
}
