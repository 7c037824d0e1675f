// Package views makes the views of a pack: for each table one of what lives,
// and those that the pack writes down. It writes SQL for people to run and
// connects to nothing. That the names in a view exist in the pack's mapping is
// checked; what a database makes of the SQL around them is not.
package views

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/config"
)

// View is a view over the tables of a pack.
type View struct {
	Name        string
	Description string
	Uses        []string // names of other views, all earlier in the list

	query  query
	living string // the table whose living rows it has; "" for a view of the pack's own
}

// Columns lists what the view gives, in order.
func (v View) Columns() []string { return v.query.columns }

// Of returns the views of a pack, each after those that it uses. A pack without
// views of its own has none.
func Of(pack *config.Pack) ([]View, error) {
	if len(pack.Views) == 0 {
		return nil, nil
	}
	tables, err := tablesOf(pack)
	if err != nil {
		return nil, err
	}
	known := make(map[string][]string, 2*len(tables)) // columns by table or view
	for _, t := range tables {
		known[t.name] = slices.Concat(t.key, t.fields, bookkeeping)
	}
	var out []View
	add := func(name, description, sql, living string) error {
		if _, ok := known[name]; ok || !word.MatchString(name) {
			return fmt.Errorf("view %s: the name is taken, or is not made of small letters, digits and _", name)
		}
		q, err := parse(strings.TrimSpace(sql), known)
		if err != nil {
			return fmt.Errorf("view %s: %w", name, err)
		}
		known[name] = q.columns
		v := View{Name: name, Description: strings.TrimSpace(description), query: q, living: living}
		for _, used := range q.relations {
			if slices.ContainsFunc(out, func(o View) bool { return o.Name == used }) {
				v.Uses = append(v.Uses, used)
			}
		}
		out = append(out, v)
		return nil
	}
	for _, t := range tables {
		if err := add(t.name+"_current", "What lives of "+t.name+".", t.living(), t.name); err != nil {
			return nil, err
		}
	}
	for _, v := range pack.Views {
		if err := add(v.Name, v.Description, v.SQL, ""); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Only returns the named views and all that they use, in the order that they had.
func Only(all []View, names []string) ([]View, error) {
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		if !slices.ContainsFunc(all, func(v View) bool { return v.Name == name }) {
			return nil, fmt.Errorf("there is no view %q", name)
		}
		wanted[name] = true
	}
	for _, v := range slices.Backward(all) { // a view comes after those that it uses
		for _, used := range v.Uses {
			wanted[used] = wanted[used] || wanted[v.Name]
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(v View) bool { return !wanted[v.Name] }), nil
}

var word = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
