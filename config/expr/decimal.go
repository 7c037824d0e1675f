package expr

import (
	"errors"
	"reflect"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/cockroachdb/apd/v3"
)

// decimalType is the type of every number that is not a whole number of CEL's
// own: the numbers of records, literals with a point, and results of /.
var decimalType = types.NewOpaqueType("decimal")

// decimal is an exact number. One that comes from a record keeps its text. It is
// passed by its address, and never changes once others have that.
type decimal struct {
	text string // as it came; empty for a result
	v    apd.Decimal
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

func parseDecimal(text string) (*decimal, error) {
	if len(text) > maxDigits {
		return nil, errRange
	}
	d := &decimal{text: text}
	if d.short() {
		return d, nil
	}
	if _, _, err := d.v.SetString(text); err != nil || d.v.Form != apd.Finite {
		return nil, errNumber
	}
	if d.v.Exponent > maxExponent || d.v.Exponent < -maxExponent {
		return nil, errRange
	}
	return d, nil
}

// short reads the text if it is a plain number of few digits, as nearly all are.
func (d *decimal) short() bool {
	digits := strings.TrimPrefix(d.text, "-")
	if len(digits) == 0 || len(digits) > 18 { // so many fit into an int64
		return false
	}
	var whole int64
	point := -1
	for i := range len(digits) {
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
			whole = whole*10 + int64(c-'0')
		case c == '.' && point < 0 && i > 0 && i < len(digits)-1:
			point = i
		default:
			return false
		}
	}
	d.v.SetInt64(whole)
	d.v.Negative = len(digits) < len(d.text)
	if point >= 0 {
		d.v.Exponent = int32(point + 1 - len(digits))
	}
	return true
}

func fromInt(i int64) *decimal {
	d := new(decimal)
	d.v.SetInt64(i)
	return d
}

// number returns the decimal of a number of any type.
func number(v ref.Val) (*decimal, bool) {
	switch x := v.(type) {
	case *decimal:
		return x, true
	case types.Int:
		return fromInt(int64(x)), true
	}
	return nil, false
}

// String is plain decimal text, without an exponent unless it came with one.
func (d *decimal) String() string {
	if d.text != "" {
		return d.text
	}
	return d.v.Text('f')
}

// ConvertToNative implements ref.Val.
func (d *decimal) ConvertToNative(t reflect.Type) (any, error) {
	if t.Kind() == reflect.String {
		return d.v.Text('f'), nil
	}
	return nil, errors.New("a decimal has no native form but its text")
}

// ConvertToType implements ref.Val.
func (d *decimal) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.StringType:
		return types.String(d.v.Text('f'))
	case types.IntType:
		var whole apd.Decimal
		if _, err := wide.Quantize(&whole, &d.v, 0); err == nil && whole.Cmp(&d.v) == 0 {
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
func (d *decimal) Equal(other ref.Val) ref.Val {
	o, ok := number(other)
	return types.Bool(ok && d.v.Cmp(&o.v) == 0)
}

// Type implements ref.Val.
func (d *decimal) Type() ref.Type { return decimalType }

// Value implements ref.Val.
func (d *decimal) Value() any { return d.String() }

func arithmetic(op string, a, b *decimal) ref.Val {
	out := new(decimal)
	var err error
	switch op {
	case "+":
		_, err = exact.Add(&out.v, &a.v, &b.v)
	case "-":
		_, err = exact.Sub(&out.v, &a.v, &b.v)
	case "*":
		_, err = exact.Mul(&out.v, &a.v, &b.v)
	case "/":
		return quotient(a, b)
	case "%":
		if b.v.IsZero() {
			return failure(errZero)
		}
		_, err = wide.Rem(&out.v, &a.v, &b.v)
	}
	return out.result(err)
}

// quotient is exact where the quotient ends within its digits, and rounded to
// them (half to even) where not.
func quotient(a, b *decimal) ref.Val {
	if b.v.IsZero() {
		return failure(errZero)
	}
	c := exact.WithPrecision(quotientDigits)
	c.Rounding = apd.RoundHalfEven
	out := new(decimal)
	if _, err := c.Quo(&out.v, &a.v, &b.v); err != nil {
		return failure(errRange)
	}
	out.v.Reduce(&out.v)
	if out.v.Exponent > 0 { // 1E+2 is 100
		_, err := wide.Quantize(&out.v, &out.v, 0)
		return out.result(err)
	}
	return out.result(nil)
}

// result is the decimal as the result of a computation, if it is in range.
func (d *decimal) result(err error) ref.Val {
	if err != nil || d.v.Form != apd.Finite || d.v.NumDigits() > maxDigits || d.v.Exponent > maxExponent || d.v.Exponent < -2*maxExponent {
		return failure(errRange)
	}
	return d
}

// rounders are the ways to round that expressions may name.
var rounders = map[string]apd.Rounder{
	"half_up": apd.RoundHalfUp, "half_even": apd.RoundHalfEven, "half_down": apd.RoundHalfDown,
	"up": apd.RoundUp, "down": apd.RoundDown, "ceiling": apd.RoundCeiling, "floor": apd.RoundFloor,
}

// rounded has exactly so many digits after the point.
func rounded(d *decimal, scale int64, mode string) ref.Val {
	r, ok := rounders[mode]
	if !ok {
		return failure(safe("unknown way to round: use half_up, half_even, half_down, up, down, ceiling or floor"))
	}
	if scale < 0 || scale > maxScale {
		return failure(errScale)
	}
	c := *wide
	c.Rounding = r
	out := new(decimal)
	_, err := c.Quantize(&out.v, &d.v, int32(-scale))
	return out.result(err)
}

// divided is a quotient of so many digits after the point, rounded once.
func divided(a, b *decimal, scale int64, mode string) ref.Val {
	if scale < 0 || scale > maxScale {
		return failure(errScale)
	}
	if b.v.IsZero() {
		return failure(errZero)
	}
	// Two digits more than are wanted, the last of which says whether anything
	// was cut off: so no cut looks like exactly one half.
	size := func(d *decimal) int64 { return d.v.NumDigits() + int64(d.v.Exponent) }
	c := exact.WithPrecision(uint32(max(size(a)-size(b)+scale+3, 1)))
	c.Rounding = apd.Round05Up
	q := new(decimal)
	if _, err := c.Quo(&q.v, &a.v, &b.v); err != nil {
		return failure(errRange)
	}
	return rounded(q, scale, mode)
}
