// Package parquetfile writes rows of JSON values as Apache Parquet. Types come
// from the data-model catalog, never from the values: files of one object must
// go together. Numbers are exact text or DECIMAL, never floats.
package parquetfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/parquet-go/parquet-go"
	"github.com/sluicehq/sluice/plugins/destination"
)

// Kind is what a column holds.
type Kind int

// The kinds of columns.
const (
	JSON      Kind = iota // any value, as JSON text; what the catalog does not know
	Text                  // text; of other values their JSON
	Number                // exact decimal: DECIMAL where the table has one, else text
	Boolean               // true or false
	Timestamp             // instant in UTC, to the microsecond
	Integer               // 64 bits; only columns of our own
)

// KindOf is the kind of a field by its type in the catalog.
func KindOf(t destination.FieldType) Kind {
	switch t {
	case destination.TypeText:
		return Text
	case destination.TypeNumber:
		return Number
	case destination.TypeBoolean:
		return Boolean
	case destination.TypeTimestamp:
		return Timestamp
	default:
		return JSON
	}
}

// Decimal is the form of numbers; the zero value is text.
type Decimal struct{ Precision, Scale int }

// maxPrecision is what readers of Parquet agree on.
const maxPrecision = 38

// ParseDecimal reads "38,9" (precision, scale); empty is text.
func ParseDecimal(text string) (Decimal, error) {
	if text == "" {
		return Decimal{}, nil
	}
	precision, scale, _ := strings.Cut(text, ",")
	p, err1 := strconv.Atoi(strings.TrimSpace(precision))
	s, err2 := strconv.Atoi(strings.TrimSpace(scale))
	if err1 != nil || err2 != nil || p < 1 || p > maxPrecision || s < 0 || s > p {
		return Decimal{}, fmt.Errorf("give precision and scale such as 38,9, with a precision up to %d", maxPrecision)
	}
	return Decimal{Precision: p, Scale: s}, nil
}

// errSize names no value: it becomes a message that people see.
var errSize = errors.New("the number has too many digits for the setting decimal")

// unscaled returns value * 10^scale if that is a whole number of at most
// precision digits.
func (d Decimal) unscaled(value json.RawMessage) (*big.Int, error) {
	text := plain(value)
	if len(text) > 1<<16 {
		return nil, errSize
	}
	n, _, err := apd.NewFromString(strings.TrimSpace(text))
	if err != nil || n.Form != apd.Finite {
		return nil, errors.New("the value is not a number")
	}
	n, _ = new(apd.Decimal).Reduce(n)
	shift := int64(n.Exponent) + int64(d.Scale)
	if n.IsZero() {
		return new(big.Int), nil
	}
	if shift < 0 || n.NumDigits()+shift > int64(d.Precision) {
		return nil, errSize
	}
	out := n.Coeff.MathBigInt()
	out.Mul(out, new(big.Int).Exp(big.NewInt(10), big.NewInt(shift), nil))
	if n.Negative {
		out.Neg(out)
	}
	return out, nil
}

// Check reports a number that does not fit. Values that are no numbers are not
// its business: they go to the column of misfits.
func (d Decimal) Check(value json.RawMessage) error {
	if d == (Decimal{}) || isNull(value) {
		return nil
	}
	if _, err := d.unscaled(value); errors.Is(err, errSize) {
		return err
	}
	return nil
}

func isNull(value json.RawMessage) bool { return len(value) == 0 || string(value) == "null" }

// plain is the text of a value: a string without its quotes, everything else as
// it is, so that numbers stay exact.
func plain(value json.RawMessage) string {
	var s string
	if value[0] == '"' && json.Unmarshal(value, &s) == nil {
		return s
	}
	return string(value)
}

// node is the type of a column in the file. Every column may be null.
func (k Kind) node(d Decimal) parquet.Node {
	switch k {
	case Text:
		return parquet.String()
	case Number:
		switch {
		case d == (Decimal{}):
			return parquet.String()
		case d.Precision <= 18:
			return parquet.Decimal(d.Scale, d.Precision, parquet.Int64Type)
		default:
			return parquet.Decimal(d.Scale, d.Precision, parquet.FixedLenByteArrayType(decimalBytes))
		}
	case Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case Timestamp:
		return parquet.Timestamp(parquet.Microsecond)
	case Integer:
		return parquet.Int(64)
	default:
		return parquet.JSON()
	}
}

// decimalBytes hold any number of 38 digits.
const decimalBytes = 16

// value converts a value that is not null. ok is false where it does not fit.
func (k Kind) value(d Decimal, raw json.RawMessage) (v parquet.Value, ok bool) {
	switch k {
	case Text:
		return parquet.ByteArrayValue([]byte(plain(raw))), true
	case Number:
		if d == (Decimal{}) {
			return parquet.ByteArrayValue([]byte(plain(raw))), true
		}
		n, err := d.unscaled(raw)
		if err != nil {
			return v, false
		}
		if d.Precision <= 18 {
			return parquet.Int64Value(n.Int64()), true
		}
		return parquet.FixedLenByteArrayValue(twosComplement(n)), true
	case Boolean:
		b, err := strconv.ParseBool(plain(raw))
		return parquet.BooleanValue(b), err == nil
	case Timestamp:
		t, ok := instant(plain(raw))
		return parquet.Int64Value(t.UnixMicro()), ok && raw[0] == '"'
	case Integer:
		n, err := strconv.ParseInt(plain(raw), 10, 64)
		return parquet.Int64Value(n), err == nil
	default:
		return parquet.ByteArrayValue(raw), true
	}
}

// twosComplement is the big-endian form that DECIMAL takes.
func twosComplement(n *big.Int) []byte {
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), 8*decimalBytes))
	}
	return n.FillBytes(make([]byte, decimalBytes))
}

// instant reads a date-time, or a date; what has no zone is UTC. What is finer
// than a microsecond, or beyond what readers show as a year, does not fit.
func instant(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		t, err := time.Parse(layout, text)
		if err == nil {
			return t, t.Nanosecond()%1000 == 0 && t.Year() > 0 && t.Year() < 10_000
		}
	}
	return time.Time{}, false
}
