package sqlcore

import (
	"math/big"
	"strconv"
	"strings"
)

// Digits is how many digits a column of numbers keeps before and after the
// point. A number with more makes the column one of text.
type Digits struct{ Whole, Fraction int }

// AnyDigits is for columns of numbers that keep their text, or nearly any number
// of digits, as PostgreSQL's numeric does.
var AnyDigits = Digits{Whole: 131072, Fraction: 16383}

// fit reports whether a JSON number keeps all its digits in the column.
func (n Digits) fit(s string) bool {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(s, "-")), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	e := 0
	if exponent != "" {
		var err error
		if e, err = strconv.Atoi(exponent); err != nil || e > AnyDigits.Whole || e < -AnyDigits.Whole {
			return false
		}
	}
	return len(whole)+e <= n.Whole && len(fraction)-e <= n.Fraction
}

// Plain writes a JSON number that fits some [Digits] without an exponent, for
// databases that do not read one.
func Plain(s string) string {
	mantissa, exponent, ok := strings.Cut(strings.ToLower(s), "e")
	if !ok {
		return s
	}
	value, isNumber := new(big.Rat).SetString(s)
	e, err := strconv.Atoi(exponent)
	if !isNumber || err != nil {
		return s
	}
	_, fraction, _ := strings.Cut(mantissa, ".")
	return value.FloatString(max(0, len(fraction)-e))
}
