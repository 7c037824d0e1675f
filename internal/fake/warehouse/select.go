package warehouse

import (
	"encoding/json"
	"fmt"
	"maps"
)

// relation is what a SELECT reads or gives.
type relation struct {
	columns []Column
	rows    []row
}

func (r relation) result() *Result {
	out := &Result{Columns: r.columns}
	for _, have := range r.rows {
		values := make([]Value, len(r.columns))
		for i, c := range r.columns {
			v, ok := have.values[c.Name]
			if values[i] = v; !ok {
				values[i] = null()
			}
		}
		out.Rows = append(out.Rows, values)
	}
	return out
}

// alias reads [AS] name.
func (p *parser) alias() (string, error) {
	p.word("AS")
	return p.name()
}

// item is one element of what a SELECT gives.
type item struct {
	value expr
	name  string
	all   string // the alias whose columns are all taken; "" for every one
	star  bool
}

// selection reads SELECT items [FROM source [LEFT JOIN table AS alias ON
// condition] [WHERE condition]].
func (p *parser) selection() (relation, error) {
	if !p.word("SELECT") {
		return relation{}, p.unexpected()
	}
	items, err := p.items()
	if err != nil {
		return relation{}, err
	}
	scopes := []*scope{{}}
	var shape []row // the columns of each source, in order
	var aliases []string
	if p.word("FROM") {
		source, alias, err := p.source()
		if err != nil {
			return relation{}, err
		}
		scopes = scopes[:0]
		for _, r := range source.rows {
			scopes = append(scopes, &scope{rows: map[string]row{alias: {source.columns, r.values}}})
		}
		shape, aliases = append(shape, row{columns: source.columns}), append(aliases, alias)
		if p.word("LEFT", "JOIN") {
			if err := p.join(scopes); err != nil {
				return relation{}, err
			}
		}
		if p.take(",") {
			if scopes, err = p.flatten(scopes); err != nil {
				return relation{}, err
			}
		}
	}
	if p.word("WHERE") {
		where, err := p.expression()
		if err != nil {
			return relation{}, err
		}
		kept := scopes[:0]
		for _, s := range scopes {
			if yes, err := where(s); err != nil {
				return relation{}, err
			} else if isTrue(yes) {
				kept = append(kept, s)
			}
		}
		scopes = kept
	}
	return project(items, shape, aliases, scopes)
}

func (p *parser) items() ([]item, error) {
	var out []item
	for {
		switch {
		case p.take("*"):
			out = append(out, item{star: true})
		case p.ahead(1).text == "." && p.ahead(2).text == "*":
			alias, err := p.name()
			if err != nil {
				return nil, err
			}
			p.at += 2
			out = append(out, item{star: true, all: alias})
		default:
			start := p.peek()
			value, err := p.expression()
			if err != nil {
				return nil, err
			}
			name := fmt.Sprintf("f%d_", len(out))
			if start.kind == word || start.kind == quoted {
				name = p.dialect.Fold(start.text)
			}
			if p.word("AS") {
				if name, err = p.name(); err != nil {
					return nil, err
				}
			}
			out = append(out, item{value: value, name: name})
		}
		if !p.take(",") {
			return out, nil
		}
	}
}

// source reads what comes after FROM: the elements of a JSON list that is a
// parameter, a query, or a table.
func (p *parser) source() (relation, string, error) {
	var r relation
	var err error
	switch {
	case p.word("UNNEST"):
		if !p.take("(") || !p.word("JSON_QUERY_ARRAY") || !p.take("(") || p.peek().kind != param {
			return r, "", p.unexpected()
		}
		name := p.peek().text
		var v Value
		if v, err = p.parameter(name); err != nil {
			return r, "", err
		}
		if p.next(); !p.closes(2) {
			return r, "", p.unexpected()
		}
		r, err = expand(v, "")
	case p.take("("):
		if r, err = p.selection(); err == nil && !p.take(")") {
			err = p.unexpected()
		}
	default:
		var name string
		if name, err = p.tableName(); err != nil {
			return r, "", err
		}
		var t *table
		if t, err = lookup(p.session.engine.tables, name); err != nil {
			return r, "", err
		}
		r.columns = t.columns
		for _, values := range t.rows {
			r.rows = append(r.rows, row{values: values})
		}
		if next := p.peek(); next.kind == end || next.kind == symbol || p.word("WHERE") {
			if next.kind == word {
				p.at--
			}
			return r, "", nil
		}
	}
	if err != nil {
		return r, "", err
	}
	alias, err := p.alias()
	if len(r.columns) == 1 && r.columns[0].Name == "" { // the element itself is called by the alias
		r.columns = []Column{{Name: alias, Type: r.columns[0].Type}}
		for _, e := range r.rows {
			e.values[alias] = e.values[""]
		}
	}
	return r, alias, err
}

// closes takes n closing parentheses.
func (p *parser) closes(n int) bool {
	for range n {
		if !p.take(")") {
			return false
		}
	}
	return true
}

// expand makes rows of the lists within a JSON list. As a column of the given
// name they are arrays; without a name they are their JSON.
func expand(v Value, column string) (relation, error) {
	var lists []json.RawMessage
	if err := json.Unmarshal([]byte(v.Text), &lists); err != nil {
		return relation{}, fmt.Errorf("%w: not a JSON list", ErrValue)
	}
	r := relation{columns: []Column{{Name: column, Type: Type{base: str}}}}
	for _, raw := range lists {
		element := of(str, string(raw))
		if column != "" {
			list, err := jsonList(string(raw))
			if err != nil {
				return relation{}, err
			}
			element = Value{base: array, list: list}
		}
		r.rows = append(r.rows, row{values: map[string]Value{column: element}})
	}
	return r, nil
}

// flatten reads LATERAL FLATTEN(INPUT => PARSE_JSON(expression)) AS alias: each
// scope becomes one for every element.
func (p *parser) flatten(scopes []*scope) ([]*scope, error) {
	if !p.word("LATERAL", "FLATTEN") || !p.take("(") || !p.word("INPUT") || !p.take("=>") || !p.word("PARSE_JSON") || !p.take("(") {
		return nil, p.unexpected()
	}
	input, err := p.expression()
	if err != nil {
		return nil, err
	}
	if !p.closes(2) {
		return nil, p.unexpected()
	}
	alias, err := p.alias()
	if err != nil {
		return nil, err
	}
	var out []*scope
	for _, s := range scopes {
		v, err := input(s)
		if err != nil {
			return nil, err
		}
		elements, err := expand(v, p.dialect.Fold("value"))
		if err != nil {
			return nil, err
		}
		for _, e := range elements.rows {
			rows := maps.Clone(s.rows)
			rows[alias] = row{elements.columns, e.values}
			out = append(out, &scope{rows: rows})
		}
	}
	return out, nil
}

// join adds to each scope the row of a table that fits, or one of nulls. More
// than one is refused: no statement here means that.
func (p *parser) join(scopes []*scope) error {
	name, err := p.tableName()
	if err != nil {
		return err
	}
	t, err := lookup(p.session.engine.tables, name)
	if err != nil {
		return err
	}
	alias, err := p.alias()
	if err != nil {
		return err
	}
	if !p.word("ON") {
		return p.unexpected()
	}
	on, err := p.expression()
	if err != nil {
		return err
	}
	for _, s := range scopes {
		found := row{columns: t.columns}
		for _, values := range t.rows {
			s.rows[alias] = row{t.columns, values}
			yes, err := on(s)
			if err != nil {
				return err
			}
			if isTrue(yes) {
				if found.values != nil {
					return ErrAmbiguous
				}
				found.values = values
			}
		}
		s.rows[alias] = found
	}
	return nil
}

func project(items []item, shape []row, aliases []string, scopes []*scope) (relation, error) {
	out := relation{}
	for _, s := range scopes {
		values := map[string]Value{}
		for _, i := range items {
			if !i.star {
				v, err := i.value(s)
				if err != nil {
					return relation{}, err
				}
				values[i.name] = v
				continue
			}
			for n, alias := range aliases {
				if i.all == "" || i.all == alias {
					for _, c := range shape[n].columns {
						v, ok := s.rows[alias].values[c.Name]
						if !ok {
							v = Value{Null: true, base: c.Type.base}
						}
						values[c.Name] = v
					}
				}
			}
		}
		out.rows = append(out.rows, row{values: values})
	}
	for _, i := range items {
		if !i.star {
			c := Column{Name: i.name}
			for _, r := range out.rows {
				if v := r.values[i.name]; v.made != nil {
					c.Type = *v.made
				} else if v.base != none {
					c.Type = Type{base: v.base, Name: names[v.base]}
				}
			}
			out.columns = append(out.columns, c)
			continue
		}
		for n, alias := range aliases {
			if i.all == "" || i.all == alias {
				out.columns = append(out.columns, shape[n].columns...)
			}
		}
	}
	return out, nil
}

// names are those of types that nobody declared.
var names = map[base]string{boolean: "BOOL", integer: "INT64", decimal: "BIGNUMERIC", timestamp: "TIMESTAMP", str: "STRING"}
