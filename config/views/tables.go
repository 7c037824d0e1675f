package views

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/expr"
)

// The columns of record tables that are not fields.
var (
	recordKey   = []string{"_company_id", "_integration_type", "_platform_id"}
	bookkeeping = []string{"_version", deletedAt, "_synced_at"}
)

const (
	itemKey   = "_item"
	deletedAt = "_deleted_at"
)

// table is a table as the mapping of a pack fills it.
type table struct {
	name   string
	key    []string
	fields []string
}

// living is a view of the rows that are not deleted.
func (t table) living() string {
	var lines []string
	for _, name := range slices.Concat(t.key, t.fields) {
		lines = append(lines, fmt.Sprintf("  t.{%s} AS {%[1]s}", name))
	}
	return fmt.Sprintf("SELECT\n%s\nFROM {%s} AS t\nWHERE t.{%s} IS NULL", strings.Join(lines, ",\n"), t.name, deletedAt)
}

// tablesOf lists the tables of a pack by model, those of lists after the one of
// their records.
func tablesOf(pack *config.Pack) ([]table, error) {
	var out []table
	add := func(t table) error {
		if slices.ContainsFunc(out, func(o table) bool { return o.name == t.name }) {
			return fmt.Errorf("two data models have the table %s", t.name)
		}
		for _, name := range append(slices.Concat(t.key, t.fields), t.name) {
			if !word.MatchString(name) {
				return fmt.Errorf("table %s: the name %q is not made of small letters, digits and _", t.name, name)
			}
		}
		out = append(out, t)
		return nil
	}
	for _, model := range slices.Sorted(maps.Keys(pack.Models)) {
		m := pack.Models[model]
		t := table{name: m.Object, key: m.Key}
		if t.name == "" {
			t.name = strings.ToLower(model)
		}
		if t.key == nil {
			t.key = recordKey
		}
		drop := t.key
		for list := range m.Expand {
			drop = append(slices.Clip(drop), list) // it does not go as well
		}
		t.fields = fieldsOf(m.Fields, m.Map, m.Constants, expr.FieldTypes(model), drop)
		if err := add(t); err != nil {
			return nil, err
		}
		for _, list := range slices.Sorted(maps.Keys(m.Expand)) {
			c := m.Expand[list]
			child := table{name: c.Object, key: append(slices.Clip(t.key), itemKey)}
			if child.name == "" {
				child.name = t.name + "_" + list
			}
			child.fields = fieldsOf(c.Fields, c.Map, c.Constants, expr.FieldTypes(config.ItemModel(model, list)), child.key)
			if err := add(child); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// fieldsOf lists the fields that a mapping gives a table, in the order in which
// they are written down: what passes, then what has an expression or is constant,
// by name.
func fieldsOf(f *config.Fields, exprs map[string]string, constants map[string]any, catalog map[string]string, without []string) []string {
	var out []string
	add := func(name string) {
		if !slices.Contains(out, name) && !slices.Contains(without, name) {
			out = append(out, name)
		}
	}
	pass := f
	if pass == nil {
		pass = new(config.Fields)
	}
	excluded := func(name string) bool {
		return slices.ContainsFunc(pass.Exclude, func(p string) bool { return config.Pattern(p).Match(name) })
	}
	include := pass.Include
	if len(include) == 0 && (f != nil || len(exprs)+len(constants) == 0) {
		include = []string{"*"}
	}
	for _, pattern := range include {
		for _, name := range slices.Sorted(maps.Keys(catalog)) {
			if config.Pattern(pattern).Match(name) && !excluded(name) {
				if to, ok := pass.Rename[name]; ok {
					name = to
				}
				add(name)
			}
		}
	}
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(exprs)), slices.Sorted(maps.Keys(constants))) {
		if !excluded(name) {
			add(name)
		}
	}
	return out
}
