package expr

import (
	"bytes"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// renamed gives CEL's operators names of our own after parsing: CEL's know no
// decimals, and it takes == for its own whatever is declared.
var renamed = map[string]string{
	operators.Equals: "==", operators.NotEquals: "!=", operators.In: "is in",
	operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">", operators.GreaterEquals: ">=",
	operators.Add: "+", operators.Subtract: "-", operators.Multiply: "*", operators.Divide: "/", operators.Modulo: "%",
	operators.Negate: "minus",
}

var (
	paramA = types.NewTypeParamType("A")
	listA  = types.NewListType(paramA)
)

// numeric declares an operator for all pairs of numbers. Whole numbers stay
// whole where whole says so.
func numeric(op string, of func(types *cel.Type) *cel.Type, whole *cel.Type) []cel.FunctionOpt {
	return []cel.FunctionOpt{
		cel.Overload(op+"_int_int", []*cel.Type{cel.IntType, cel.IntType}, whole),
		cel.Overload(op+"_decimal_decimal", []*cel.Type{decimalType, decimalType}, of(decimalType)),
		cel.Overload(op+"_decimal_int", []*cel.Type{decimalType, cel.IntType}, of(decimalType)),
		cel.Overload(op+"_int_decimal", []*cel.Type{cel.IntType, decimalType}, of(decimalType)),
	}
}

func same(t *cel.Type) *cel.Type { return t }
func isBool(*cel.Type) *cel.Type { return cel.BoolType }
func overload(op, name string, result *cel.Type, args ...*cel.Type) cel.FunctionOpt {
	return cel.Overload(op+"_"+name, args, result)
}

func operatorDecls() []cel.EnvOption {
	var out []cel.EnvOption
	declare := func(op string, f func(a, b ref.Val) ref.Val, opts ...[]cel.FunctionOpt) {
		all := []cel.FunctionOpt{cel.SingletonBinaryBinding(f)}
		for _, o := range opts {
			all = append(all, o...)
		}
		out = append(out, cel.Function(op, all...))
	}
	// Overloads must not overlap, so these take everything; see comparable.
	anything := func(name string) []cel.FunctionOpt {
		return []cel.FunctionOpt{overload(name, "dyn", cel.BoolType, cel.DynType, cel.DynType)}
	}
	declare("==", func(a, b ref.Val) ref.Val { return types.Bool(equal(a, b)) }, anything("eq"))
	declare("!=", func(a, b ref.Val) ref.Val { return types.Bool(!equal(a, b)) }, anything("ne"))
	declare("is in", in, anything("in"))
	for op, fits := range map[string]func(int) bool{
		"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 },
		">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
	} {
		name := map[string]string{"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}[op]
		declare(op, func(a, b ref.Val) ref.Val { return ordered(a, b, fits) }, numeric(name, isBool, cel.BoolType), []cel.FunctionOpt{
			overload(name, "string", cel.BoolType, cel.StringType, cel.StringType),
			overload(name, "timestamp", cel.BoolType, cel.TimestampType, cel.TimestampType),
			overload(name, "duration", cel.BoolType, cel.DurationType, cel.DurationType),
			overload(name, "bool", cel.BoolType, cel.BoolType, cel.BoolType),
		})
	}
	compute := func(op string) func(a, b ref.Val) ref.Val {
		return func(a, b ref.Val) ref.Val { return computed(op, a, b) }
	}
	declare("+", compute("+"), numeric("add", same, cel.IntType), []cel.FunctionOpt{
		overload("add", "string", cel.StringType, cel.StringType, cel.StringType),
		overload("add", "list", listA, listA, listA),
		overload("add", "time", cel.TimestampType, cel.TimestampType, cel.DurationType),
		overload("add", "duration_time", cel.TimestampType, cel.DurationType, cel.TimestampType),
		overload("add", "duration", cel.DurationType, cel.DurationType, cel.DurationType),
	})
	declare("-", compute("-"), numeric("sub", same, cel.IntType), []cel.FunctionOpt{
		overload("sub", "times", cel.DurationType, cel.TimestampType, cel.TimestampType),
		overload("sub", "time_duration", cel.TimestampType, cel.TimestampType, cel.DurationType),
		overload("sub", "duration", cel.DurationType, cel.DurationType, cel.DurationType),
	})
	declare("*", compute("*"), numeric("mul", same, cel.IntType))
	declare("/", compute("/"), numeric("div", same, decimalType))
	declare("%", compute("%"), numeric("mod", same, cel.IntType))
	out = append(out, cel.Function("minus",
		overload("neg", "int", cel.IntType, cel.IntType), overload("neg", "decimal", decimalType, decimalType),
		cel.SingletonUnaryBinding(func(v ref.Val) ref.Val { return computed("-", types.Int(0), v) })))
	mapAB := cel.MapType(paramA, types.NewTypeParamType("B"))
	convert := func(function string, to *cel.Type) cel.EnvOption {
		return cel.Function(function, cel.Overload("decimal_to_"+function, []*cel.Type{decimalType}, to,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return v.ConvertToType(to) })))
	}
	return append(out, convert("int", cel.IntType), convert("string", cel.StringType),
		cel.Function(eachFunction, overload("each", "list", listA, listA), overload("each", "map", mapAB, mapAB),
			cel.SingletonUnaryBinding(func(v ref.Val) ref.Val {
				if isNull(v) {
					return types.NewRefValList(types.DefaultTypeAdapter, nil)
				}
				return v
			})),
		cel.Function(holdsFunction, overload("holds", "bool", cel.BoolType, cel.BoolType),
			cel.SingletonUnaryBinding(func(v ref.Val) ref.Val {
				if isNull(v) {
					return types.False
				}
				return v
			})))
}

// ordered compares. A comparison with null is false: nothing is known of it.
func ordered(a, b ref.Val, fits func(int) bool) ref.Val {
	if isNull(a) || isNull(b) {
		return types.False
	}
	if x, ok := number(a); ok {
		if y, ok := number(b); ok {
			return types.Bool(fits(x.v.Cmp(&y.v)))
		}
		return types.NewErr("no such overload")
	}
	c, ok := a.(traits.Comparer)
	if !ok {
		return types.NewErr("no such overload")
	}
	order, ok := c.Compare(b).(types.Int)
	if !ok {
		return types.NewErr("no such overload")
	}
	return types.Bool(fits(int(order)))
}

// computed does arithmetic. With null the result is null.
func computed(op string, a, b ref.Val) ref.Val {
	if isNull(a) || isNull(b) {
		return null{}
	}
	x, left := a.(types.Int)
	y, right := b.(types.Int)
	if left && right && op != "/" {
		switch op {
		case "+":
			return x.Add(y)
		case "-":
			return x.Subtract(y)
		case "*":
			return x.Multiply(y)
		default:
			return x.Modulo(y)
		}
	}
	if m, ok := number(a); ok {
		if n, ok := number(b); ok {
			return arithmetic(op, m, n)
		}
		return types.NewErr("no such overload")
	}
	switch op {
	case "+":
		if s, ok := a.(traits.Adder); ok {
			return s.Add(b)
		}
	case "-":
		if s, ok := a.(traits.Subtractor); ok {
			return s.Subtract(b)
		}
	}
	return types.NewErr("no such overload")
}

// equal compares values of any type: numbers by value, lists and objects by
// their elements.
func equal(a, b ref.Val) bool {
	if isNull(a) || isNull(b) {
		return isNull(a) && isNull(b)
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x.v.Cmp(&y.v) == 0
	}
	switch x := a.(type) {
	case *Object:
		return x.equal(b)
	case traits.Lister:
		y, ok := b.(traits.Lister)
		if !ok || x.Size() != y.Size() {
			return false
		}
		if l, ok := x.(*list); ok && l.same(y) {
			return true
		}
		for i := range x.Size().(types.Int) {
			if !equal(x.Get(i), y.Get(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b) == types.True
}

func (o *Object) equal(other ref.Val) bool {
	p, ok := other.(*Object)
	if !ok || len(o.Fields()) != len(p.Fields()) {
		return false
	}
	if o.raw != nil && bytes.Equal(o.raw, p.raw) {
		return true
	}
	for name := range o.Fields() {
		if _, ok := p.Fields()[name]; !ok || !equal(o.Get(types.String(name)), p.Get(types.String(name))) {
			return false
		}
	}
	return true
}

func in(v, all ref.Val) ref.Val {
	switch x := all.(type) {
	case traits.Lister:
		for i := range x.Size().(types.Int) {
			if equal(v, x.Get(i)) {
				return types.True
			}
		}
		return types.False
	case traits.Mapper:
		_, found := x.Find(v)
		return types.Bool(found)
	case *Object:
		return x.IsSet(v)
	}
	if isNull(all) {
		return types.False
	}
	return types.NewErr("no such overload")
}
