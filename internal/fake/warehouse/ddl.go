package warehouse

import (
	"fmt"
	"slices"
)

// create reads CREATE TABLE with columns, or AS SELECT.
func (p *parser) create(tables map[string]*table) (*Result, error) {
	quiet := p.word("IF", "NOT", "EXISTS")
	name, err := p.tableName()
	if err != nil {
		return nil, err
	}
	made := &table{}
	if p.word("AS") {
		selected, err := p.selection()
		if err != nil {
			return nil, err
		}
		made.columns = selected.columns
		for _, r := range selected.rows {
			made.rows = append(made.rows, r.values)
		}
	} else if made.columns, err = p.definitions(); err != nil {
		return nil, err
	}
	if _, ok := tables[name]; ok {
		if quiet {
			return &Result{}, nil
		}
		return nil, fmt.Errorf("%w: table %s", ErrExists, name)
	}
	tables[name] = made
	return &Result{}, nil
}

// definitions reads what is in the parentheses of CREATE TABLE, and the clauses
// after them that change nothing here.
func (p *parser) definitions() ([]Column, error) {
	if !p.take("(") {
		return nil, p.unexpected()
	}
	var columns []Column
	for {
		if p.word("PRIMARY", "KEY") {
			names, err := p.names()
			if err != nil {
				return nil, err
			}
			for _, n := range names {
				if _, ok := p.dialect.column(columns, n); !ok {
					return nil, fmt.Errorf("%w: %s", ErrNoColumn, n)
				}
			}
			p.word("NOT", "ENFORCED")
		} else {
			c, err := p.definition(columns)
			if err != nil {
				return nil, err
			}
			columns = append(columns, c)
		}
		if p.take(")") {
			break
		}
		if !p.take(",") {
			return nil, p.unexpected()
		}
	}
	if p.word("CLUSTER", "BY") {
		for {
			n, err := p.name()
			if err != nil {
				return nil, err
			}
			if _, ok := p.dialect.column(columns, n); !ok {
				return nil, fmt.Errorf("%w: %s", ErrNoColumn, n)
			}
			if !p.take(",") {
				break
			}
		}
	}
	return columns, nil
}

func (p *parser) definition(others []Column) (Column, error) {
	name, err := p.name()
	if err != nil {
		return Column{}, err
	}
	t, err := p.typeName()
	if err != nil {
		return Column{}, err
	}
	if _, ok := p.dialect.column(others, name); ok {
		return Column{}, fmt.Errorf("%w: column %s", ErrExists, name)
	}
	return Column{Name: name, Type: t, Required: p.word("NOT", "NULL")}, nil
}

// names reads a list of names in parentheses.
func (p *parser) names() ([]string, error) {
	if !p.take("(") {
		return nil, p.unexpected()
	}
	var out []string
	for {
		n, err := p.name()
		if err != nil {
			return nil, err
		}
		if out = append(out, n); p.take(")") {
			return out, nil
		}
		if !p.take(",") {
			return nil, p.unexpected()
		}
	}
}

// alter reads ALTER TABLE with one action, or with several that rename.
func (p *parser) alter(tables map[string]*table) (*Result, error) {
	name, err := p.tableName()
	if err != nil {
		return nil, err
	}
	t, err := lookup(tables, name)
	if err != nil {
		return nil, err
	}
	switch {
	case p.word("ADD", "COLUMN"):
		return &Result{}, p.addColumn(t)
	case p.word("DROP", "COLUMN"):
		return &Result{}, p.dropColumn(name, t)
	}
	before := slices.Clone(t.columns)
	renamed := map[string]string{}
	for p.word("RENAME", "COLUMN") {
		from, err := p.name()
		if err != nil {
			return nil, err
		}
		if !p.word("TO") {
			return nil, p.unexpected()
		}
		to, err := p.name()
		if err != nil {
			return nil, err
		}
		i, ok := p.dialect.column(before, from)
		if !ok {
			return nil, fmt.Errorf("%w: %s", ErrNoColumn, from)
		}
		if err := p.session.free(name, before[i].Name); err != nil {
			return nil, err
		}
		renamed[before[i].Name] = to
		t.columns[i].Name = to
		if !p.take(",") {
			break
		}
	}
	if len(renamed) == 0 {
		return nil, p.unexpected()
	}
	for i, c := range t.columns {
		if _, ok := p.dialect.column(t.columns[i+1:], c.Name); ok {
			return nil, fmt.Errorf("%w: column %s", ErrExists, c.Name)
		}
	}
	for _, r := range t.rows {
		values := map[string]Value{}
		for from, to := range renamed {
			if v, ok := r[from]; ok {
				values[to] = v
				delete(r, from)
			}
		}
		for to, v := range values {
			r[to] = v
		}
	}
	return &Result{}, nil
}

// free refuses to change a column that a view depends on.
func (s *Session) free(table, column string) error {
	if by, ok := s.engine.pinned[table+"\x00"+column]; ok {
		return fmt.Errorf("%w: %s uses %s", ErrDependent, by, column)
	}
	return nil
}

func (p *parser) addColumn(t *table) error {
	quiet := p.word("IF", "NOT", "EXISTS")
	c, err := p.definition(nil)
	if err != nil {
		return err
	}
	if _, ok := p.dialect.column(t.columns, c.Name); ok {
		if quiet {
			return nil
		}
		return fmt.Errorf("%w: column %s", ErrExists, c.Name)
	}
	if c.Required && len(t.rows) > 0 {
		return fmt.Errorf("%w: column %s takes no null", ErrValue, c.Name)
	}
	t.columns = append(t.columns, c)
	return nil
}

func (p *parser) dropColumn(table string, t *table) error {
	quiet := p.word("IF", "EXISTS")
	name, err := p.name()
	if err != nil {
		return err
	}
	i, ok := p.dialect.column(t.columns, name)
	if !ok {
		if quiet {
			return nil
		}
		return fmt.Errorf("%w: %s", ErrNoColumn, name)
	}
	if err := p.session.free(table, t.columns[i].Name); err != nil {
		return err
	}
	for _, r := range t.rows {
		delete(r, t.columns[i].Name)
	}
	t.columns = slices.Delete(slices.Clone(t.columns), i, i+1)
	return nil
}

func (p *parser) drop(tables map[string]*table) (*Result, error) {
	name, err := p.tableName()
	if err != nil {
		return nil, err
	}
	if _, err := lookup(tables, name); err != nil {
		return nil, err
	}
	delete(tables, name)
	return &Result{}, nil
}
