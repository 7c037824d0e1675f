package expr

import (
	"errors"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// safe is a failure whose text holds no value of a record.
type safe string

func (s safe) Error() string { return string(s) }

func failure(err error) ref.Val { return types.WrapErr(err) }

// ErrCost means that an expression took more steps than it may.
var ErrCost error = safe("takes too many steps")

// withoutValues replaces what CEL says, which may quote a record, by what went
// wrong.
func withoutValues(err error) error {
	if s, ok := errors.AsType[safe](err); ok {
		return s
	}
	if c, ok := errors.AsType[interpreter.EvalCancelledError](err); ok && c.Cause == interpreter.CostLimitExceeded {
		return ErrCost
	}
	text := err.Error()
	for _, known := range []struct{ part, means string }{
		{"cost limit", string(ErrCost.(safe))},
		{"no such overload", "a value has another type than the expression needs"},
		{"no such key", "a field is asked of something that has none"},
		{"index out of bounds", "a position is outside of its list or text"},
		{"no such attribute", "a variable is not there"},
		{"division by zero", "division by zero"},
		{"modulus by zero", "division by zero"},
		{"overflow", "a whole number of 64 bits overflows: use decimal()"},
	} {
		if strings.Contains(text, known.part) {
			return safe(known.means)
		}
	}
	return safe("cannot be evaluated for this record")
}
