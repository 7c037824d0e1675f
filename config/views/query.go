package views

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// query is a SELECT whose names are written as {name}, read as far as its names.
type query struct {
	text      string
	columns   []string // what it gives, in order
	relations []string // the tables and views that it reads
}

// names finds in a text what matters to names: parentheses, for what a query in
// them gives, and each {name} with what stands before and after it.
var names = regexp.MustCompile(`\(|\)(?:\s+AS\s+([a-z]\w*))?|` +
	`(?:\b(FROM|JOIN|AS)\s+|\b([a-z]\w*)\.)?\{([^{}]*)\}(?:\s+AS\s+([a-z]\w*))?`)

// The groups of names.
const (
	inAlias   = iota + 1 // the alias of a query in parentheses
	keyword              // before a relation, or before the name of a column that is given
	qualifier            // the alias before a column
	name                 // within the braces
	alias                // of a relation
)

// parse reads a query over relations with known columns. Every {name} is a
// relation after FROM or JOIN, with an alias; the name of a column that the query
// gives, after AS; or a column of what its alias stands for.
func parse(text string, known map[string][]string) (query, error) {
	q := query{text: text}
	aliases := make(map[string][]string)
	declare := func(alias string, columns []string) error {
		if _, twice := aliases[alias]; twice || alias == "" {
			return fmt.Errorf("what is after FROM or JOIN needs an alias of its own; one is %q", alias)
		}
		aliases[alias] = columns
		return nil
	}
	tokens := names.FindAllStringSubmatch(text, -1)
	given := [][]string{nil} // by depth of parentheses
	for _, t := range tokens {
		last := len(given) - 1
		switch {
		case t[0] == "(":
			given = append(given, nil)
		case t[0][0] == ')':
			if last == 0 {
				return q, fmt.Errorf("a parenthesis too many")
			}
			if t[inAlias] != "" {
				if err := declare(t[inAlias], given[last]); err != nil {
					return q, err
				}
			}
			given = given[:last]
		case t[keyword] == "AS":
			if !word.MatchString(t[name]) || slices.Contains(given[last], t[name]) {
				return q, fmt.Errorf("{%s} after AS is given twice, or is not made of small letters, digits and _", t[name])
			}
			given[last] = append(given[last], t[name])
		case t[keyword] != "":
			columns, ok := known[t[name]]
			if !ok {
				return q, fmt.Errorf("{%s} is no table of the pack, and no view above", t[name])
			}
			if err := declare(t[alias], columns); err != nil {
				return q, err
			}
			q.relations = append(q.relations, t[name])
		}
	}
	if len(given) != 1 || len(given[0]) == 0 || len(q.relations) == 0 {
		return q, fmt.Errorf("it reads or gives nothing, or a parenthesis is open")
	}
	q.columns = given[0]
	for _, t := range tokens { // an alias stands before what declares it
		if t[name] == "" && !strings.Contains(t[0], "{") || t[keyword] != "" {
			continue
		}
		columns, ok := aliases[t[qualifier]]
		if !ok {
			return q, fmt.Errorf("{%s} needs the alias of a table before it; %q is none", t[name], t[qualifier])
		}
		if !slices.Contains(columns, t[name]) {
			return q, fmt.Errorf("%s has no column %q", t[qualifier], t[name])
		}
	}
	return q, nil
}

// render writes the query with the names of a database.
func (q query) render(relation, column func(name string) string) string {
	var b strings.Builder
	end := 0
	for _, at := range names.FindAllStringSubmatchIndex(q.text, -1) {
		if at[2*name] < 0 {
			continue
		}
		quote := column
		if at[2*keyword] >= 0 && q.text[at[2*keyword]:at[2*keyword+1]] != "AS" {
			quote = relation
		}
		b.WriteString(q.text[end : at[2*name]-1])
		b.WriteString(quote(q.text[at[2*name]:at[2*name+1]]))
		end = at[2*name+1] + 1
	}
	b.WriteString(q.text[end:])
	return b.String()
}
