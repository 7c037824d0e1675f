package warehouse

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Dialect is what warehouses differ in.
type Dialect struct {
	Quote byte // around names
	// Fold is what becomes of a name without quotes.
	Fold func(name string) string
	// FoldsCase makes columns one whose names differ in case only.
	FoldsCase bool
	// Types are by name without arguments.
	Types map[string]Type
	Now   func() time.Time
}

// Column is a column of a table.
type Column struct {
	Name     string
	Type     Type
	Required bool
	banned   *string // a value that is refused
}

type table struct {
	columns []Column
	rows    []map[string]Value // by name of the column; a missing one is null
}

func (t *table) clone() *table {
	c := &table{columns: slices.Clone(t.columns), rows: make([]map[string]Value, len(t.rows))}
	for i, r := range t.rows {
		c.rows[i] = maps.Clone(r)
	}
	return c
}

// Engine is the warehouse. It is safe for concurrent use; a transaction has it for
// itself.
type Engine struct {
	dialect Dialect

	mu     sync.Mutex
	tables map[string]*table
	pinned map[string]string // "table\x00column": what depends on the column
}

// New makes an empty warehouse.
func New(d Dialect) *Engine {
	return &Engine{dialect: d, tables: map[string]*table{}, pinned: map[string]string{}}
}

// Result is what a statement gives.
type Result struct {
	Columns  []Column
	Rows     [][]Value
	Affected int
}

// Table returns the columns of a table; false if there is none.
func (e *Engine) Table(name string) ([]Column, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, ok := e.tables[name]
	if !ok {
		return nil, false
	}
	return slices.Clone(t.columns), true
}

// Pin makes a column of a table one that a view depends on, until it is unpinned.
func (e *Engine) Pin(table, column string, pinned bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if delete(e.pinned, table+"\x00"+column); pinned {
		e.pinned[table+"\x00"+column] = "a view"
	}
}

// Ban makes a column of a table refuse a value, as a rule of its owner might.
func (e *Engine) Ban(table, column, value string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t, ok := e.tables[table]; ok {
		if i, ok := e.dialect.column(t.columns, column); ok {
			t.columns[i].banned = &value
		}
	}
}

// Rows returns the rows of a table with the text of what is not null.
func (e *Engine) Rows(name string) []map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, ok := e.tables[name]
	if !ok {
		return nil
	}
	out := make([]map[string]string, 0, len(t.rows))
	for _, r := range t.rows {
		texts := map[string]string{}
		for column, v := range r {
			if !v.Null {
				texts[column] = v.Text
			}
		}
		out = append(out, texts)
	}
	return out
}

// Session runs statements, with a transaction over several of them if it is
// begun. It belongs to one caller.
type Session struct {
	engine *Engine
	before map[string]*table // of the transaction; nil outside one
}

// Session begins a session.
func (e *Engine) Session() *Session { return &Session{engine: e} }

// Close rolls back what was not committed.
func (s *Session) Close() { s.rollback() }

// InTransaction reports whether one is open.
func (s *Session) InTransaction() bool { return s.before != nil }

func (s *Session) begin() {
	s.engine.mu.Lock() // until the end of the transaction
	s.before = make(map[string]*table, len(s.engine.tables))
	for name, t := range s.engine.tables {
		s.before[name] = t.clone()
	}
}

func (s *Session) commit() {
	if s.before != nil {
		s.before = nil
		s.engine.mu.Unlock()
	}
}

func (s *Session) rollback() {
	if s.before != nil {
		s.engine.tables = s.before
		s.commit()
	}
}

// Run runs a script of statements and returns the result of the last that has
// one. After an error, what a transaction did is undone.
func (s *Session) Run(sql string, params map[string]string) (Result, error) {
	tokens, err := lex(sql, s.engine.dialect.Quote)
	if err != nil {
		return Result{}, err
	}
	p := &parser{tokens: tokens, dialect: s.engine.dialect, session: s, params: params}
	var last Result
	for {
		for p.take(";") {
		}
		if p.peek().kind == end {
			return last, nil
		}
		result, err := p.statement()
		if err == nil && p.peek().kind != end && !p.take(";") {
			err = p.unexpected()
		}
		if err != nil {
			s.rollback()
			return Result{}, err
		}
		if result != nil {
			last = *result
		}
	}
}

// change runs f on the tables. Without a transaction it is one.
func (s *Session) change(f func(tables map[string]*table) (*Result, error)) (*Result, error) {
	if s.before != nil {
		return f(s.engine.tables)
	}
	s.begin()
	result, err := f(s.engine.tables)
	if err != nil {
		s.rollback()
		return nil, err
	}
	s.commit()
	return result, nil
}

func lookup(tables map[string]*table, name string) (*table, error) {
	t, ok := tables[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNoTable, name)
	}
	return t, nil
}

// column finds a column by name.
func (d Dialect) column(columns []Column, name string) (int, bool) {
	i := slices.IndexFunc(columns, func(c Column) bool {
		return c.Name == name || d.FoldsCase && strings.EqualFold(c.Name, name)
	})
	return i, i >= 0
}

// store puts a value into a column of a row.
func store(row map[string]Value, c Column, v Value) error {
	if v.Null {
		if c.Required {
			return fmt.Errorf("%w: column %s takes no null", ErrValue, c.Name)
		}
		row[c.Name] = Value{Null: true, base: c.Type.base}
		return nil
	}
	if v.base != c.Type.base && (c.Type.base != decimal || v.base != integer) {
		return fmt.Errorf("%w: column %s is %s", ErrType, c.Name, c.Type.Name)
	}
	fitting, err := cast(v, c.Type)
	if err != nil {
		return err
	}
	if c.banned != nil && *c.banned == fitting.Text {
		return fmt.Errorf("%w: column %s refuses it", ErrValue, c.Name)
	}
	fitting.made = &c.Type
	row[c.Name] = fitting
	return nil
}
