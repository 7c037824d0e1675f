package warehouse

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// scope is what names stand for: rows by alias.
type scope struct {
	rows map[string]row
}

// row is one row of a relation.
type row struct {
	columns []Column
	values  map[string]Value
}

// expr is an expression that was understood.
type expr func(s *scope) (Value, error)

func constant(v Value) expr { return func(*scope) (Value, error) { return v, nil } }

// expression reads terms between AND and OR.
func (p *parser) expression() (expr, error) {
	left, err := p.conjunction()
	for err == nil && p.word("OR") {
		var right expr
		if right, err = p.conjunction(); err == nil {
			a, b := left, right
			left = logic(a, b, func(x, y bool) bool { return x || y })
		}
	}
	return left, err
}

func (p *parser) conjunction() (expr, error) {
	left, err := p.comparison()
	for err == nil && p.word("AND") {
		var right expr
		if right, err = p.comparison(); err == nil {
			a, b := left, right
			left = logic(a, b, func(x, y bool) bool { return x && y })
		}
	}
	return left, err
}

// logic takes unknown for false: no statement here tells them apart.
func logic(a, b expr, f func(x, y bool) bool) expr {
	return func(s *scope) (Value, error) {
		x, err := a(s)
		if err != nil {
			return Value{}, err
		}
		y, err := b(s)
		return fromBool(f(isTrue(x), isTrue(y))), err
	}
}

var comparisons = map[string]func(int) bool{
	"=":  func(c int) bool { return c == 0 },
	"<>": func(c int) bool { return c != 0 },
	"<":  func(c int) bool { return c < 0 },
	"<=": func(c int) bool { return c <= 0 },
	">":  func(c int) bool { return c > 0 },
	">=": func(c int) bool { return c >= 0 },
}

func (p *parser) comparison() (expr, error) {
	if p.word("NOT") {
		inner, err := p.comparison()
		return func(s *scope) (Value, error) {
			v, err := inner(s)
			return fromBool(!isTrue(v)), err
		}, err
	}
	left, err := p.sum()
	if err != nil {
		return nil, err
	}
	if p.word("IS") {
		negated := p.word("NOT")
		if !p.word("NULL") {
			return nil, p.unexpected()
		}
		return func(s *scope) (Value, error) {
			v, err := left(s)
			return fromBool(v.Null != negated), err
		}, nil
	}
	test, ok := comparisons[p.peek().text]
	if p.peek().kind != symbol || !ok {
		return left, nil
	}
	p.next()
	right, err := p.sum()
	return func(s *scope) (Value, error) {
		a, err := left(s)
		if err != nil {
			return Value{}, err
		}
		b, err := right(s)
		if err != nil || a.Null || b.Null {
			return Value{Null: true, base: boolean}, err
		}
		c, err := compare(a, b)
		return fromBool(test(c)), err
	}, err
}

func (p *parser) sum() (expr, error) {
	left, err := p.casts()
	for err == nil && p.take("+") {
		var right expr
		if right, err = p.casts(); err == nil {
			a, b := left, right
			left = func(s *scope) (Value, error) {
				x, err := a(s)
				if err != nil {
					return x, err
				}
				y, err := b(s)
				if err != nil || x.Null || y.Null {
					return Value{Null: true, base: integer}, err
				}
				m, err1 := strconv.ParseInt(x.Text, 10, 64)
				n, err2 := strconv.ParseInt(y.Text, 10, 64)
				if err1 != nil || err2 != nil {
					return Value{}, fmt.Errorf("%w: only integers are added", ErrType)
				}
				return of(integer, strconv.FormatInt(m+n, 10)), nil
			}
		}
	}
	return left, err
}

// casts reads value::type.
func (p *parser) casts() (expr, error) {
	value, err := p.primary()
	for err == nil && p.take("::") {
		var t Type
		if t, err = p.typeName(); err == nil {
			value = casting(value, t)
		}
	}
	return value, err
}

func casting(value expr, t Type) expr {
	return func(s *scope) (Value, error) {
		v, err := value(s)
		if err != nil {
			return v, err
		}
		v, err = cast(v, t)
		v.made = &t
		return v, err
	}
}

func (p *parser) primary() (expr, error) {
	switch t := p.peek(); {
	case t.kind == text:
		p.next()
		return constant(of(str, t.text)), nil
	case t.kind == number:
		p.next()
		return constant(of(integer, t.text)), nil
	case t.kind == param:
		p.next()
		value, err := p.parameter(t.text)
		return constant(value), err
	case p.take("("):
		inner, err := p.expression()
		if err == nil && !p.take(")") {
			err = p.unexpected()
		}
		return inner, err
	case p.word("NULL"):
		return constant(null()), nil
	case p.word("TRUE"):
		return constant(fromBool(true)), nil
	case p.word("FALSE"):
		return constant(fromBool(false)), nil
	case p.word("CASE"):
		return p.choice()
	case p.word("EXISTS"):
		if !p.take("(") {
			return nil, p.unexpected()
		}
		result, err := p.selection()
		if err == nil && !p.take(")") {
			err = p.unexpected()
		}
		return constant(fromBool(err == nil && len(result.rows) > 0)), err
	case t.kind == word && p.ahead(1).text == "(" && p.ahead(1).kind == symbol:
		p.next()
		p.next()
		return p.call(strings.ToUpper(t.text))
	case t.kind == word || t.kind == quoted:
		return p.reference()
	}
	return nil, p.unexpected()
}

// choice reads CASE WHEN condition THEN value ... ELSE value END.
func (p *parser) choice() (expr, error) {
	type branch struct{ when, then expr }
	var branches []branch
	otherwise := constant(null())
	for p.word("WHEN") {
		when, err := p.expression()
		if err != nil {
			return nil, err
		}
		if !p.word("THEN") {
			return nil, p.unexpected()
		}
		then, err := p.expression()
		if err != nil {
			return nil, err
		}
		branches = append(branches, branch{when, then})
	}
	if p.word("ELSE") {
		var err error
		if otherwise, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if !p.word("END") {
		return nil, p.unexpected()
	}
	return func(s *scope) (Value, error) {
		for _, b := range branches {
			if v, err := b.when(s); err != nil {
				return v, err
			} else if isTrue(v) {
				return b.then(s)
			}
		}
		return otherwise(s)
	}, nil
}

// reference reads name, alias.name or alias.name[n].
func (p *parser) reference() (expr, error) {
	first, err := p.name()
	if err != nil {
		return nil, err
	}
	alias, column := "", first
	if p.take(".") {
		alias = first
		if column, err = p.name(); err != nil {
			return nil, err
		}
	}
	index := -1
	if p.take("[") {
		if index, err = strconv.Atoi(p.peek().text); err != nil || !p.next() || !p.take("]") {
			return nil, p.unexpected()
		}
	}
	return func(s *scope) (Value, error) {
		v, err := s.find(p.dialect, alias, column)
		if err != nil || index < 0 {
			return v, err
		}
		if index >= len(v.list) {
			return null(), nil
		}
		return v.list[index], nil
	}, nil
}

func (s *scope) find(d Dialect, alias, column string) (Value, error) {
	for name, r := range s.rows {
		if alias != "" && name != alias {
			continue
		}
		if i, ok := d.column(r.columns, column); ok {
			c := r.columns[i]
			if v, ok := r.values[c.Name]; ok {
				return v, nil
			}
			return Value{Null: true, base: c.Type.base}, nil
		}
	}
	return Value{}, fmt.Errorf("%w: %s", ErrNoColumn, column)
}

// call reads the arguments of a function.
func (p *parser) call(name string) (expr, error) {
	if name == "CAST" {
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		if !p.word("AS") {
			return nil, p.unexpected()
		}
		t, err := p.typeName()
		if err == nil && !p.take(")") {
			err = p.unexpected()
		}
		return casting(value, t), err
	}
	var args []expr
	for !p.take(")") {
		if len(args) > 0 && !p.take(",") {
			return nil, p.unexpected()
		}
		if p.word("INTERVAL") { // only minutes
			n := p.peek().text
			if !p.next() || !p.word("MINUTE") {
				return nil, p.unexpected()
			}
			args = append(args, constant(of(integer, n)))
			continue
		}
		arg, err := p.expression()
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	f, ok := functions[name]
	if !ok || len(args) != f.arguments {
		return nil, fmt.Errorf("%w: no function %s with %d arguments", ErrSyntax, name, len(args))
	}
	now := p.dialect.Now
	return func(s *scope) (Value, error) {
		values := make([]Value, len(args))
		for i, a := range args {
			var err error
			if values[i], err = a(s); err != nil {
				return Value{}, err
			}
			if values[i].Null {
				return null(), nil
			}
		}
		return f.do(now, values)
	}, nil
}

type function struct {
	arguments int
	do        func(now func() time.Time, args []Value) (Value, error)
}

const stamp = "2006-01-02T15:04:05.000000Z"

func present(now func() time.Time, _ []Value) (Value, error) {
	return of(timestamp, now().UTC().Format(stamp)), nil
}

var functions = map[string]function{
	"CURRENT_TIMESTAMP": {0, present},
	"TIMESTAMP_ADD": {2, func(_ func() time.Time, a []Value) (Value, error) {
		at, err := time.Parse(stamp, a[0].Text)
		minutes, err2 := strconv.Atoi(a[1].Text)
		if err != nil || err2 != nil {
			return Value{}, fmt.Errorf("%w: TIMESTAMP_ADD", ErrType)
		}
		return of(timestamp, at.Add(time.Duration(minutes)*time.Minute).Format(stamp)), nil
	}},
	"SUBSTR": {3, func(_ func() time.Time, a []Value) (Value, error) {
		from, err := strconv.Atoi(a[1].Text)
		n, err2 := strconv.Atoi(a[2].Text)
		if err != nil || err2 != nil || from < 1 || n < 0 {
			return Value{}, fmt.Errorf("%w: SUBSTR", ErrType)
		}
		from = min(from-1, len(a[0].Text))
		return of(str, a[0].Text[from:min(from+n, len(a[0].Text))]), nil
	}},
	"CONCAT": {2, func(_ func() time.Time, a []Value) (Value, error) {
		return of(str, a[0].Text+a[1].Text), nil
	}},
	"RTRIM": {2, func(_ func() time.Time, a []Value) (Value, error) {
		return of(str, strings.TrimRight(a[0].Text, a[1].Text)), nil
	}},
	"TO_CHAR": {2, func(_ func() time.Time, a []Value) (Value, error) {
		if a[1].Text != `YYYY-MM-DD"T"HH24:MI:SS.FF6"Z"` || a[0].base != timestamp {
			return Value{}, fmt.Errorf("%w: TO_CHAR knows one format", ErrSyntax)
		}
		return of(str, a[0].Text), nil
	}},
	"CONVERT_TIMEZONE": {2, func(_ func() time.Time, a []Value) (Value, error) {
		if a[0].Text != "UTC" || a[1].base != timestamp {
			return Value{}, fmt.Errorf("%w: CONVERT_TIMEZONE knows UTC", ErrSyntax)
		}
		return a[1], nil
	}},
	// JSON_VALUE reads '$[n]' of a list.
	"JSON_VALUE": {2, func(_ func() time.Time, a []Value) (Value, error) {
		i, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(a[1].Text, "$["), "]"))
		list, err2 := jsonList(a[0].Text)
		if err != nil || err2 != nil || i < 0 {
			return Value{}, fmt.Errorf("%w: JSON_VALUE", ErrValue)
		}
		if i >= len(list) {
			return null(), nil
		}
		return list[i], nil
	}},
	"FORMAT_TIMESTAMP": {2, func(_ func() time.Time, a []Value) (Value, error) {
		if a[0].Text != "%Y-%m-%dT%H:%M:%E6SZ" || a[1].base != timestamp {
			return Value{}, fmt.Errorf("%w: FORMAT_TIMESTAMP knows one format", ErrSyntax)
		}
		return of(str, a[1].Text), nil
	}},
}

// jsonList reads a JSON list of strings and nulls.
func jsonList(s string) ([]Value, error) {
	var elements []*string
	if err := json.Unmarshal([]byte(s), &elements); err != nil {
		return nil, fmt.Errorf("%w: not a JSON list of strings", ErrValue)
	}
	out := make([]Value, len(elements))
	for i, e := range elements {
		if out[i] = null(); e != nil {
			out[i] = of(str, *e)
		}
	}
	return out, nil
}
