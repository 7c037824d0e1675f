package expr

import (
	"slices"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
	"github.com/cockroachdb/apd/v3"
)

// sorted is CEL's sort and sortBy, whose own do not know decimals. The keys of
// sortBy are its second argument.
type sorted struct{ interpreter.InterpretableCall }

// Exec implements interpreter.InterpretableV2.
func (s *sorted) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	values := s.Args()[0].Exec(frame)
	keys := values
	if len(s.Args()) > 1 {
		keys = s.Args()[1].Exec(frame)
	}
	if isNull(values) || isNull(keys) {
		return null{}
	}
	l, ok := values.(traits.Lister)
	by, also := keys.(traits.Lister)
	if !ok || !also || l.Size() != by.Size() {
		return types.NewErr("no such overload")
	}
	if elements(l) > maxSorted {
		return failure(errElements)
	}
	type pair struct{ key, value ref.Val }
	pairs := make([]pair, elements(l))
	for i := range pairs {
		pairs[i] = pair{by.Get(types.Int(i)), l.Get(types.Int(i))}
	}
	var bad ref.Val
	slices.SortStableFunc(pairs, func(a, b pair) int {
		c, problem := order(a.key, b.key)
		if problem != nil {
			bad = problem
		}
		return c
	})
	if bad != nil {
		return bad
	}
	out := make([]ref.Val, len(pairs))
	for i, p := range pairs {
		out[i] = p.value
	}
	return types.NewRefValList(types.DefaultTypeAdapter, out)
}

// order compares for sorting; nulls come last.
func order(a, b ref.Val) (c int, problem ref.Val) {
	switch none, other := isNull(a), isNull(b); {
	case none && other:
		return 0, nil
	case none:
		return 1, nil
	case other:
		return -1, nil
	}
	less := func(a, b ref.Val) bool {
		v := ordered(a, b, func(c int) bool { return c < 0 })
		if types.IsError(v) {
			problem = v
		}
		return v == types.True
	}
	switch {
	case less(a, b):
		return -1, problem
	case less(b, a):
		return 1, problem
	}
	return 0, problem
}

// distinct is CEL's function, whose own compares each element with each.
type distinct struct{ interpreter.InterpretableCall }

// Exec implements interpreter.InterpretableV2.
func (d *distinct) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := d.Args()[0].Exec(frame)
	l, ok := v.(traits.Lister)
	if !ok {
		if isNull(v) {
			return null{}
		}
		return types.NewErr("no such overload")
	}
	var out, others []ref.Val
	seen := make(map[string]struct{})
	for i := range elements(v) {
		e := l.Get(types.Int(i))
		if id, ok := identity(e); ok {
			if _, twice := seen[id]; twice {
				continue
			}
			seen[id] = struct{}{}
		} else {
			twice := false
			for _, o := range others {
				twice = twice || equal(e, o)
			}
			if twice {
				continue
			}
			if others = append(others, e); len(others) > maxCompared {
				return failure(errElements)
			}
		}
		out = append(out, e)
	}
	return types.NewRefValList(types.DefaultTypeAdapter, out)
}

// identity is a text that equal values share and others do not, for values that
// have one.
func identity(v ref.Val) (string, bool) {
	if isNull(v) {
		return "null", true
	}
	if d, ok := number(v); ok {
		var reduced apd.Decimal // a copy of the struct would share the digits of a long number
		reduced.Reduce(&d.v)
		if reduced.IsZero() {
			return "0", true
		}
		return reduced.Text('E'), true
	}
	switch x := v.(type) {
	case types.String:
		return `"` + string(x), true
	case types.Bool:
		return strconv.FormatBool(bool(x)), true
	}
	return "", false
}
