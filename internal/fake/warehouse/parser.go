package warehouse

import (
	"fmt"
	"strconv"
	"strings"
)

// parser reads statements and runs them as it goes: an expression becomes a
// function, a statement its effect.
type parser struct {
	tokens  []token
	at      int
	dialect Dialect
	session *Session
	params  map[string]string
	asked   int // parameters without a name so far
}

func (p *parser) peek() token { return p.tokens[p.at] }

// ahead looks at the n-th token from here.
func (p *parser) ahead(n int) token { return p.tokens[min(p.at+n, len(p.tokens)-1)] }

// next goes on; it reports true for use in conditions.
func (p *parser) next() bool {
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return true
}

// take goes on if the symbol is there.
func (p *parser) take(s string) bool {
	if t := p.peek(); t.kind != symbol || t.text != s {
		return false
	}
	return p.next()
}

// word goes on if the keywords are there.
func (p *parser) word(words ...string) bool {
	for i, w := range words {
		if p.at+i >= len(p.tokens) || p.tokens[p.at+i].kind != word || !strings.EqualFold(p.tokens[p.at+i].text, w) {
			return false
		}
	}
	p.at += len(words)
	return true
}

func (p *parser) unexpected() error {
	t := p.peek()
	if t.kind == end {
		return fmt.Errorf("%w: unexpected end of the statement", ErrSyntax)
	}
	return fmt.Errorf("%w: unexpected %q at %d", ErrSyntax, t.text, t.at)
}

// name reads a name of one part.
func (p *parser) name() (string, error) {
	switch t := p.peek(); t.kind {
	case quoted:
		p.next()
		return t.text, nil
	case word:
		p.next()
		return p.dialect.Fold(t.text), nil
	}
	return "", p.unexpected()
}

// tableName reads a name of several parts, which are joined with points.
func (p *parser) tableName() (string, error) {
	first, err := p.name()
	parts := []string{first}
	for err == nil && p.take(".") {
		var part string
		part, err = p.name()
		parts = append(parts, part)
	}
	return strings.Join(parts, "."), err
}

// parameter is the value of @name, or of the next ?.
func (p *parser) parameter(name string) (Value, error) {
	if name == "" {
		p.asked++
		name = strconv.Itoa(p.asked)
	}
	value, ok := p.params[name]
	if !ok {
		return Value{}, fmt.Errorf("%w: no value for parameter %s", ErrSyntax, name)
	}
	return of(str, value), nil
}

// typeName reads a type with its arguments.
func (p *parser) typeName() (Type, error) {
	if p.peek().kind != word {
		return Type{}, p.unexpected()
	}
	name := strings.ToUpper(p.peek().text)
	t, ok := p.dialect.Types[name]
	if !ok {
		return Type{}, fmt.Errorf("%w: no type %s", ErrSyntax, name)
	}
	p.next()
	if !p.take("(") {
		return t, nil
	}
	var args []int
	for !p.take(")") {
		if len(args) > 0 && !p.take(",") {
			return Type{}, p.unexpected()
		}
		n, err := strconv.Atoi(p.peek().text)
		if err != nil {
			return Type{}, p.unexpected()
		}
		args = append(args, n)
		p.next()
	}
	switch {
	case t.base == decimal && len(args) == 2 && args[0] <= t.precision && args[1] <= args[0]:
		t.precision, t.scale = args[0], args[1]
		t.Name = fmt.Sprintf("%s(%d,%d)", name, args[0], args[1])
	case t.base == str && len(args) == 1:
		t.length = args[0]
		t.Name = fmt.Sprintf("%s(%d)", name, args[0])
	default:
		return Type{}, fmt.Errorf("%w: arguments of type %s", ErrSyntax, name)
	}
	return t, nil
}

// statement runs one statement.
func (p *parser) statement() (*Result, error) {
	switch {
	case p.word("BEGIN"):
		p.word("TRANSACTION")
		if p.session.before != nil {
			return nil, fmt.Errorf("%w: a transaction within another", ErrSyntax)
		}
		p.session.begin()
		return nil, nil
	case p.word("COMMIT"):
		p.word("TRANSACTION")
		p.session.commit()
		return nil, nil
	case p.word("ROLLBACK"):
		p.word("TRANSACTION")
		p.session.rollback()
		return nil, nil
	case p.word("ASSERT"):
		return nil, p.assertion()
	case p.word("CREATE", "TABLE"), p.word("CREATE", "TRANSIENT", "TABLE"):
		return p.change((*parser).create)
	case p.word("INSERT", "INTO"):
		return p.change((*parser).insert)
	case p.word("DELETE", "FROM"):
		return p.change((*parser).remove)
	case p.word("ALTER", "TABLE"):
		return p.change((*parser).alter)
	case p.word("DROP", "TABLE"):
		return p.change((*parser).drop)
	case p.word("UPDATE"):
		return p.change((*parser).update)
	case p.word("MERGE", "INTO"):
		return p.change((*parser).merge)
	case p.word("SELECT"):
		p.at--
		return p.change(func(p *parser, _ map[string]*table) (*Result, error) {
			r, err := p.selection()
			if err != nil {
				return nil, err
			}
			return r.result(), nil
		})
	}
	return nil, p.unexpected()
}

func (p *parser) change(f func(p *parser, tables map[string]*table) (*Result, error)) (*Result, error) {
	return p.session.change(func(tables map[string]*table) (*Result, error) { return f(p, tables) })
}

// assertion reads ASSERT condition AS 'message'.
func (p *parser) assertion() error {
	_, err := p.change(func(p *parser, _ map[string]*table) (*Result, error) {
		condition, err := p.expression()
		if err != nil {
			return nil, err
		}
		if !p.word("AS") || p.peek().kind != text {
			return nil, p.unexpected()
		}
		message := p.peek().text
		p.next()
		v, err := condition(&scope{})
		if err == nil && !isTrue(v) {
			err = fmt.Errorf("%w: %s", ErrAssertion, message)
		}
		return nil, err
	})
	return err
}
