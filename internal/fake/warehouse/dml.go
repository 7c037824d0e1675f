package warehouse

import (
	"fmt"
	"maps"
)

// assignment is column = expression.
type assignment struct {
	column Column
	value  expr
}

func (p *parser) assignments(t *table) ([]assignment, error) {
	var out []assignment
	for {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		i, ok := p.dialect.column(t.columns, name)
		if !ok {
			return nil, fmt.Errorf("%w: %s", ErrNoColumn, name)
		}
		if !p.take("=") {
			return nil, p.unexpected()
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		if out = append(out, assignment{t.columns[i], value}); !p.take(",") {
			return out, nil
		}
	}
}

// apply gives the row the values, all of which see the row as it was.
func apply(set []assignment, s *scope, target map[string]Value) error {
	next := maps.Clone(target)
	for _, a := range set {
		v, err := a.value(s)
		if err != nil {
			return err
		}
		if err := store(next, a.column, v); err != nil {
			return err
		}
	}
	maps.Copy(target, next)
	return nil
}

// update reads UPDATE table SET ... WHERE condition.
func (p *parser) update(tables map[string]*table) (*Result, error) {
	name, err := p.tableName()
	if err != nil {
		return nil, err
	}
	t, err := lookup(tables, name)
	if err != nil {
		return nil, err
	}
	if !p.word("SET") {
		return nil, p.unexpected()
	}
	set, err := p.assignments(t)
	if err != nil {
		return nil, err
	}
	where := constant(fromBool(true))
	if p.word("WHERE") {
		if where, err = p.expression(); err != nil {
			return nil, err
		}
	}
	result := &Result{}
	for _, r := range t.rows {
		s := &scope{rows: map[string]row{"": {t.columns, r}}}
		yes, err := where(s)
		if err != nil {
			return nil, err
		}
		if isTrue(yes) {
			if err := apply(set, s, r); err != nil {
				return nil, err
			}
			result.Affected++
		}
	}
	return result, nil
}

// insert reads INSERT INTO table (names) SELECT ... .
func (p *parser) insert(tables map[string]*table) (*Result, error) {
	name, err := p.tableName()
	if err != nil {
		return nil, err
	}
	t, err := lookup(tables, name)
	if err != nil {
		return nil, err
	}
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	selected, err := p.selection()
	if err != nil {
		return nil, err
	}
	if len(selected.columns) != len(names) {
		return nil, fmt.Errorf("%w: %d values for %d columns", ErrSyntax, len(selected.columns), len(names))
	}
	for _, r := range selected.rows {
		fresh := map[string]Value{}
		for i, n := range names {
			at, ok := p.dialect.column(t.columns, n)
			if !ok {
				return nil, fmt.Errorf("%w: %s", ErrNoColumn, n)
			}
			if err := store(fresh, t.columns[at], r.values[selected.columns[i].Name]); err != nil {
				return nil, err
			}
		}
		t.rows = append(t.rows, fresh)
	}
	return &Result{Affected: len(selected.rows)}, nil
}

// remove reads DELETE FROM table WHERE condition.
func (p *parser) remove(tables map[string]*table) (*Result, error) {
	name, err := p.tableName()
	if err != nil {
		return nil, err
	}
	t, err := lookup(tables, name)
	if err != nil {
		return nil, err
	}
	if !p.word("WHERE") {
		return nil, p.unexpected()
	}
	where, err := p.expression()
	if err != nil {
		return nil, err
	}
	var kept []map[string]Value
	for _, r := range t.rows {
		yes, err := where(&scope{rows: map[string]row{"": {t.columns, r}}})
		if err != nil {
			return nil, err
		}
		if !isTrue(yes) {
			kept = append(kept, r)
		}
	}
	result := &Result{Affected: len(t.rows) - len(kept)}
	t.rows = kept
	return result, nil
}

// merging is a MERGE that was understood.
type merging struct {
	on, guard expr
	deletes   bool
	set       []assignment // of a matched row; empty without a clause
	insert    []assignment // of a new row; empty without a clause
}

// merge reads MERGE INTO table AS t USING (select) AS s ON condition and its
// clauses.
func (p *parser) merge(tables map[string]*table) (*Result, error) {
	name, err := p.tableName()
	if err != nil {
		return nil, err
	}
	t, err := lookup(tables, name)
	if err != nil {
		return nil, err
	}
	target, err := p.alias()
	if err != nil {
		return nil, err
	}
	if !p.word("USING") || !p.take("(") {
		return nil, p.unexpected()
	}
	source, err := p.selection()
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, p.unexpected()
	}
	alias, err := p.alias()
	if err != nil {
		return nil, err
	}
	if !p.word("ON") {
		return nil, p.unexpected()
	}
	m := merging{guard: constant(fromBool(true))}
	if m.on, err = p.expression(); err != nil {
		return nil, err
	}
	if err := p.clauses(t, &m); err != nil {
		return nil, err
	}
	return m.run(t, target, source, alias)
}

// clauses reads WHEN MATCHED and WHEN NOT MATCHED.
func (p *parser) clauses(t *table, m *merging) (err error) {
	for p.word("WHEN") {
		switch {
		case p.word("MATCHED"):
			if p.word("AND") {
				if m.guard, err = p.expression(); err != nil {
					return err
				}
			}
			if m.deletes = p.word("THEN", "DELETE"); m.deletes {
				continue
			}
			if !p.word("THEN", "UPDATE", "SET") {
				return p.unexpected()
			}
			if m.set, err = p.assignments(t); err != nil {
				return err
			}
		case p.word("NOT", "MATCHED", "THEN", "INSERT"):
			if m.insert, err = p.insertion(t); err != nil {
				return err
			}
		default:
			return p.unexpected()
		}
	}
	return nil
}

// insertion reads (names) VALUES (expressions).
func (p *parser) insertion(t *table) ([]assignment, error) {
	names, err := p.names()
	if err != nil {
		return nil, err
	}
	if !p.word("VALUES") || !p.take("(") {
		return nil, p.unexpected()
	}
	var out []assignment
	for n, name := range names {
		i, ok := p.dialect.column(t.columns, name)
		if !ok {
			return nil, fmt.Errorf("%w: %s", ErrNoColumn, name)
		}
		if n > 0 && !p.take(",") {
			return nil, p.unexpected()
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		out = append(out, assignment{t.columns[i], value})
	}
	if !p.take(")") {
		return nil, p.unexpected()
	}
	return out, nil
}

func (m *merging) run(t *table, target string, source relation, alias string) (*Result, error) {
	result := &Result{}
	gone, touched := map[int]bool{}, map[int]bool{}
	var added []map[string]Value
	for _, r := range source.rows {
		s := &scope{rows: map[string]row{alias: {source.columns, r.values}}}
		matched := false
		for i, have := range t.rows {
			s.rows[target] = row{t.columns, have}
			if yes, err := m.on(s); err != nil {
				return nil, err
			} else if !isTrue(yes) {
				continue
			}
			matched = true
			if yes, err := m.guard(s); err != nil {
				return nil, err
			} else if !isTrue(yes) || !m.deletes && len(m.set) == 0 {
				continue
			}
			if touched[i] {
				return nil, ErrAmbiguous
			}
			touched[i] = true
			result.Affected++
			if gone[i] = m.deletes; !m.deletes {
				if err := apply(m.set, s, have); err != nil {
					return nil, err
				}
			}
		}
		delete(s.rows, target)
		if !matched && len(m.insert) > 0 {
			fresh := map[string]Value{}
			if err := apply(m.insert, s, fresh); err != nil {
				return nil, err
			}
			for _, c := range t.columns {
				if v, ok := fresh[c.Name]; c.Required && (!ok || v.Null) {
					return nil, fmt.Errorf("%w: column %s takes no null", ErrValue, c.Name)
				}
			}
			added = append(added, fresh)
			result.Affected++
		}
	}
	kept := make([]map[string]Value, 0, len(t.rows)+len(added))
	for i, r := range t.rows {
		if !gone[i] {
			kept = append(kept, r)
		}
	}
	t.rows = append(kept, added...)
	return result, nil
}
