package warehouse

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
)

// The errors of statements, for fakes to give them the words of their warehouse.
var (
	ErrSyntax    = errors.New("syntax error")
	ErrNoTable   = errors.New("no such table")
	ErrNoColumn  = errors.New("no such column")
	ErrExists    = errors.New("already exists")
	ErrType      = errors.New("wrong type")
	ErrValue     = errors.New("bad value")
	ErrAmbiguous = errors.New("more than one row of the source for a row of the target")
	ErrAssertion = errors.New("assertion failed")
	ErrDependent = errors.New("a view depends on the column")
)

// base is what a type is made of.
type base int

const (
	none base = iota // of a null without a type
	boolean
	integer
	decimal
	timestamp
	str
	array
)

// Type is the type of a column.
type Type struct {
	Name             string // as the warehouse shows it, with its arguments
	base             base
	precision, scale int // of decimals
	length           int // of text, in characters
	padded           bool
}

// Padded makes decimals that become text have all digits of their scale.
func (t Type) Padded() Type {
	t.padded = true
	return t
}

// Boolean, Integer, Decimal, Timestamp and Text make the types of a dialect.
func Boolean(name string) Type { return Type{Name: name, base: boolean} }

// Integer is one of 64 bits.
func Integer(name string) Type { return Type{Name: name, base: integer} }

// Decimal has digits in all and after the point.
func Decimal(name string, precision, scale int) Type {
	return Type{Name: name, base: decimal, precision: precision, scale: scale}
}

// Timestamp is an instant.
func Timestamp(name string) Type { return Type{Name: name, base: timestamp} }

// Text is of any length.
func Text(name string) Type { return Type{Name: name, base: str} }

// Value is a value of a row. Its text is canonical for its type.
type Value struct {
	Null bool
	Text string
	base base
	list []Value // of an array
	made *Type   // what it was cast to, for tables made of a SELECT
}

func null() Value { return Value{Null: true} }

func of(b base, text string) Value { return Value{base: b, Text: text} }

func isTrue(v Value) bool { return !v.Null && v.Text == "true" }

func fromBool(b bool) Value { return of(boolean, strconv.FormatBool(b)) }

// cast makes a value of a type. Text is read, everything becomes text, numbers
// become numbers; all else is refused.
func cast(v Value, t Type) (Value, error) {
	if v.Null {
		return Value{Null: true, base: t.base}, nil
	}
	bad := func() (Value, error) {
		return Value{}, fmt.Errorf("%w: '%.40s' is not a %s", ErrValue, v.Text, t.Name)
	}
	switch {
	case t.base == str:
		if t.length > 0 && len([]rune(v.Text)) > t.length {
			return Value{}, fmt.Errorf("%w: too long for %s", ErrValue, t.Name)
		}
		return of(str, v.padded()), nil
	case t.base == v.base && t.base != decimal:
		return v, nil
	case t.base == decimal && (v.base == str || v.base == integer || v.base == decimal):
		return castDecimal(v, t)
	case v.base != str:
		return Value{}, fmt.Errorf("%w: cannot cast to %s", ErrType, t.Name)
	case t.base == boolean:
		if s := strings.ToLower(v.Text); s == "true" || s == "false" {
			return of(boolean, s), nil
		}
		return bad()
	case t.base == integer:
		n, err := strconv.ParseInt(v.Text, 10, 64)
		if err != nil {
			return bad()
		}
		return of(integer, strconv.FormatInt(n, 10)), nil
	case t.base == timestamp:
		at, err := time.Parse(time.RFC3339Nano, v.Text)
		if err != nil {
			return bad()
		}
		return of(timestamp, at.UTC().Format("2006-01-02T15:04:05.000000Z")), nil
	}
	return bad()
}

// padded is the value as text.
func (v Value) padded() string {
	if v.base != decimal || v.made == nil || !v.made.padded || v.made.scale == 0 {
		return v.Text
	}
	whole, fraction, _ := strings.Cut(v.Text, ".")
	return whole + "." + fraction + strings.Repeat("0", v.made.scale-len(fraction))
}

func castDecimal(v Value, t Type) (Value, error) {
	d, _, err := apd.NewFromString(v.Text)
	if err != nil || d.Form != apd.Finite {
		return Value{}, fmt.Errorf("%w: '%.40s' is not a %s", ErrValue, v.Text, t.Name)
	}
	plain := d.Text('f')
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(plain, "-"), ".")
	if fraction = strings.TrimRight(fraction, "0"); len(fraction) > t.scale || len(strings.TrimLeft(whole, "0")) > t.precision-t.scale {
		return Value{}, fmt.Errorf("%w: out of the range of %s", ErrValue, t.Name)
	}
	text := strings.TrimLeft(whole, "0")
	if text == "" {
		text = "0"
	}
	if fraction != "" {
		text += "." + fraction
	}
	if strings.HasPrefix(plain, "-") && strings.Trim(text, "0.") != "" {
		text = "-" + text
	}
	return of(decimal, text), nil
}

// compare orders two values of one type that are not null.
func compare(a, b Value) (int, error) {
	numeric := func(v Value) bool { return v.base == integer || v.base == decimal }
	switch {
	case numeric(a) && numeric(b):
		x, _ := new(big.Rat).SetString(a.Text)
		y, _ := new(big.Rat).SetString(b.Text)
		return x.Cmp(y), nil
	case a.base == b.base:
		return strings.Compare(a.Text, b.Text), nil
	}
	return 0, fmt.Errorf("%w: no comparison between the two", ErrType)
}
