package expr

import (
	"errors"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/cockroachdb/apd/v3"
)

// decimalType is the type of every number that is not a whole number of CEL's
// own: the numbers of records, literals with a point, and results of /.
var decimalType = types.NewOpaqueType("decimal")

// decimal is an exact number. One that comes from a record keeps its text.
type decimal struct {
	text string // as it came; empty for a result
	v    *apd.Decimal
}

// Numbers are bounded so that 1e999999999 cannot fill the memory when it is
// written out.
const (
	maxDigits   = 1000
	maxExponent = 1000
	maxScale    = 100 // digits after the point that may be asked for
	// quotientDigits is how many digits a quotient has that does not end.
	quotientDigits = 34
)

var (
	exact     = apd.Context{MaxExponent: apd.MaxExponent, MinExponent: apd.MinExponent}
	wide      = exact.WithPrecision(2*maxDigits + 4*maxExponent) // never rounds what is in range
	errNumber = safe("is not a number")
	errRange  = safe("a number has too many digits")
	errScale  = safe("the digits after the point must be 0 to 100")
	errZero   = safe("division by zero")
)

func parseDecimal(text string) (decimal, error) {
	if len(text) > maxDigits {
		return decimal{}, errRange
	}
	v, _, err := apd.NewFromString(text)
	if err != nil || v.Form != apd.Finite {
		return decimal{}, errNumber
	}
	if v.Exponent > maxExponent || v.Exponent < -maxExponent {
		return decimal{}, errRange
	}
	return decimal{text: text, v: v}, nil
}

func fromInt(i int64) decimal { return decimal{v: apd.New(i, 0)} }

// number returns the decimal of a number of any type.
func number(v ref.Val) (decimal, bool) {
	switch x := v.(type) {
	case decimal:
		return x, true
	case types.Int:
		return fromInt(int64(x)), true
	}
	return decimal{}, false
}

// String is plain decimal text, without an exponent unless it came with one.
func (d decimal) String() string {
	if d.text != "" {
		return d.text
	}
	return d.v.Text('f')
}

// ConvertToNative implements ref.Val.
func (d decimal) ConvertToNative(t reflect.Type) (any, error) {
	if t.Kind() == reflect.String {
		return d.v.Text('f'), nil
	}
	return nil, errors.New("a decimal has no native form but its text")
}

// ConvertToType implements ref.Val.
func (d decimal) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.StringType:
		return types.String(d.v.Text('f'))
	case types.IntType:
		var whole apd.Decimal
		if _, err := wide.Quantize(&whole, d.v, 0); err == nil && whole.Cmp(d.v) == 0 {
			if i, err := whole.Int64(); err == nil {
				return types.Int(i)
			}
		}
		return failure(safe("is not a whole number of 64 bits: round it first"))
	case types.TypeType:
		return decimalType
	}
	if t.TypeName() == decimalType.TypeName() {
		return d
	}
	return types.NewErr("no such overload")
}

// Equal implements ref.Val; see equal for the order of operands that CEL's own
// types would not know.
func (d decimal) Equal(other ref.Val) ref.Val {
	o, ok := number(other)
	return types.Bool(ok && d.v.Cmp(o.v) == 0)
}

// Type implements ref.Val.
func (d decimal) Type() ref.Type { return decimalType }

// Value implements ref.Val.
func (d decimal) Value() any { return d.String() }

func arithmetic(op string, a, b decimal) ref.Val {
	var out apd.Decimal
	var err error
	switch op {
	case "+":
		_, err = exact.Add(&out, a.v, b.v)
	case "-":
		_, err = exact.Sub(&out, a.v, b.v)
	case "*":
		_, err = exact.Mul(&out, a.v, b.v)
	case "/":
		return quotient(a, b)
	case "%":
		if b.v.IsZero() {
			return failure(errZero)
		}
		_, err = wide.Rem(&out, a.v, b.v)
	}
	return result(&out, err)
}

// quotient is exact where the quotient ends within its digits, and rounded to
// them (half to even) where not.
func quotient(a, b decimal) ref.Val {
	if b.v.IsZero() {
		return failure(errZero)
	}
	c := exact.WithPrecision(quotientDigits)
	c.Rounding = apd.RoundHalfEven
	var out apd.Decimal
	if _, err := c.Quo(&out, a.v, b.v); err != nil {
		return failure(errRange)
	}
	out.Reduce(&out)
	if out.Exponent > 0 { // 1E+2 is 100
		_, err := wide.Quantize(&out, &out, 0)
		return result(&out, err)
	}
	return result(&out, nil)
}

func result(v *apd.Decimal, err error) ref.Val {
	if err != nil || v.Form != apd.Finite || v.NumDigits() > maxDigits || v.Exponent > maxExponent || v.Exponent < -2*maxExponent {
		return failure(errRange)
	}
	return decimal{v: v}
}

// rounders are the ways to round that expressions may name.
var rounders = map[string]apd.Rounder{
	"half_up": apd.RoundHalfUp, "half_even": apd.RoundHalfEven, "half_down": apd.RoundHalfDown,
	"up": apd.RoundUp, "down": apd.RoundDown, "ceiling": apd.RoundCeiling, "floor": apd.RoundFloor,
}

// rounded has exactly so many digits after the point.
func rounded(d decimal, scale int64, mode string) ref.Val {
	r, ok := rounders[mode]
	if !ok {
		return failure(safe("unknown way to round: use half_up, half_even, half_down, up, down, ceiling or floor"))
	}
	if scale < 0 || scale > maxScale {
		return failure(errScale)
	}
	c := *wide
	c.Rounding = r
	var out apd.Decimal
	_, err := c.Quantize(&out, d.v, int32(-scale))
	return result(&out, err)
}

// divided is a quotient of so many digits after the point, rounded once.
func divided(a, b decimal, scale int64, mode string) ref.Val {
	if scale < 0 || scale > maxScale {
		return failure(errScale)
	}
	if b.v.IsZero() {
		return failure(errZero)
	}
	// Two digits more than are wanted, the last of which says whether anything
	// was cut off: so no cut looks like exactly one half.
	size := func(d decimal) int64 { return d.v.NumDigits() + int64(d.v.Exponent) }
	c := exact.WithPrecision(uint32(max(size(a)-size(b)+scale+3, 1)))
	c.Rounding = apd.Round05Up
	var q apd.Decimal
	if _, err := c.Quo(&q, a.v, b.v); err != nil {
		return failure(errRange)
	}
	return rounded(decimal{v: &q}, scale, mode)
}
