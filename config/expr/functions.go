package expr

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Function documents one function that expressions may call. The reference page
// is made from these, and a test evaluates every example.
type Function struct {
	Name      string
	Signature string
	Doc       string
	Examples  [][2]string // expression and its value as JSON
}

type function struct {
	Function
	overloads []cel.FunctionOpt
	call      func(args ...ref.Val) ref.Val
	nulls     bool // it takes nulls itself; others give null for one
}

func types1(t ...*cel.Type) []*cel.Type { return t }

func (f function) option() cel.EnvOption {
	return cel.Function(f.Name, append([]cel.FunctionOpt{cel.SingletonFunctionBinding(f.binding())}, f.overloads...)...)
}

// binding is the function with what it does for nulls.
func (f function) binding() func(args ...ref.Val) ref.Val {
	if f.nulls {
		return f.call
	}
	return func(args ...ref.Val) ref.Val {
		for _, a := range args {
			if isNull(a) {
				return null{}
			}
		}
		return f.call(args...)
	}
}

// calls are the bindings of all functions.
var calls = sync.OnceValue(func() map[string]func(args ...ref.Val) ref.Val {
	out := make(map[string]func(args ...ref.Val) ref.Val)
	for _, f := range functions() {
		out[f.Name] = f.binding()
	}
	return out
})

// overloads declares the same function for several lists of arguments.
func overloads(name string, result *cel.Type, args ...[]*cel.Type) []cel.FunctionOpt {
	out := make([]cel.FunctionOpt, len(args))
	for i, a := range args {
		id := name
		for _, t := range a {
			id += "_" + strings.NewReplacer("(", "_", ")", "").Replace(t.String())
		}
		out[i] = cel.Overload(id, a, result)
	}
	return out
}

func functions() []function {
	return append([]function{
		{Function{"decimal", "decimal(text | number) -> decimal", "An exact number of text.",
			[][2]string{{`decimal("1.10") + 1`, `2.10`}, {`decimal("0.1") + 0.2 == 0.3`, `true`}}},
			overloads("decimal", decimalType, types1(cel.StringType), types1(cel.IntType), types1(decimalType)), toDecimal, false},
		{Function{"round", "round(number, digits [, way]) -> decimal", "Rounds to so many digits after the point; way is half_up (the default), half_even, half_down, up, down, ceiling or floor.",
			[][2]string{{`round(2.345, 2)`, `2.35`}, {`round(2.345, 2, "half_even")`, `2.34`}, {`round(7, 2)`, `7.00`}}},
			overloads("round", decimalType, types1(decimalType, cel.IntType), types1(cel.IntType, cel.IntType),
				types1(decimalType, cel.IntType, cel.StringType), types1(cel.IntType, cel.IntType, cel.StringType)), roundCall, false},
		{Function{"divide", "divide(a, b, digits [, way]) -> decimal", "The quotient, rounded once to so many digits after the point. The operator / gives it exactly, or with 34 digits where it does not end.",
			[][2]string{{`divide(100, 3, 2)`, `33.33`}, {`divide(2, 3, 4, "down")`, `0.6666`}, {`1 / 8`, `0.125`}}},
			overloads("divide", decimalType, divideArgs()...), divideCall, false},
		{Function{"abs", "abs(number) -> decimal", "The number without its sign.", [][2]string{{`abs(-1.50)`, `1.50`}}},
			overloads("abs", decimalType, types1(decimalType), types1(cel.IntType)), absCall, false},
		{Function{"sum", "sum(list) -> decimal", "The sum of a list of numbers; nulls in it count nothing.",
			[][2]string{{`sum([1.10, 2, null])`, `3.10`}, {`sum([])`, `0`}}},
			overloads("sum", decimalType, types1(cel.ListType(cel.DynType))), sumCall, false},
		{Function{"least", "least(a, b) -> decimal", "The smaller of two numbers.", [][2]string{{`least(1.5, 2)`, `1.5`}}},
			overloads("least", decimalType, numberPairs()...), func(a ...ref.Val) ref.Val { return pick(a, -1) }, false},
		{Function{"greatest", "greatest(a, b) -> decimal", "The larger of two numbers.", [][2]string{{`greatest(1.5, 2)`, `2`}}},
			overloads("greatest", decimalType, numberPairs()...), func(a ...ref.Val) ref.Val { return pick(a, 1) }, false},
		{Function{"text", "text(value) -> text", "The value as text; of null, null.", [][2]string{{`text(1.50)`, `"1.50"`}, {`text(null)`, `null`}, {`"No. " + text(7)`, `"No. 7"`}}},
			overloads("text", cel.StringType, types1(cel.DynType)), textCall, false},
		{Function{"coalesce", "coalesce(a, b, ...) -> the same type", "The first value that is not null; up to five.",
			[][2]string{{`coalesce(null, "a")`, `"a"`}, {`coalesce(record.memo, record.document_number, "none")`, `"INV-7"`}}},
			overloads("coalesce", cel.DynType, dyns(1), dyns(2), dyns(3), dyns(4), dyns(5)), coalesce, true},
		{Function{"hash", "hash(value [, salt]) -> text", "SHA-256 of the value's text, in hex. With a salt, an HMAC with the salt as its key.",
			[][2]string{{`hash("a")`, `"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"`}, {`hash("a", "salt").size()`, `64`}}},
			overloads("hash", cel.StringType, types1(cel.DynType), types1(cel.DynType, cel.StringType)), hashCall, false},
		{Function{"mask", "mask(text [, keep]) -> text", "Stars for all characters but the last keep (4 unless given).",
			[][2]string{{`mask("DE89370400440532")`, `"************0532"`}, {`mask("secret", 0)`, `"******"`}}},
			overloads("mask", cel.StringType, types1(cel.StringType), types1(cel.StringType, cel.IntType)), maskCall, false},
		{Function{"first", "first(list) -> element", "The first element; null if there is none.",
			[][2]string{{`first(["a", "b"])`, `"a"`}, {`first([])`, `null`}, {`first(record.addresses).city`, `null`}}},
			overloads("first", cel.DynType, types1(cel.ListType(cel.DynType))), firstCall, false},
		{Function{"related", "related(model, id) -> record", "The record of another data model with that platform id, of the same source, company and integration. If it is not there or deleted, all its fields are null.",
			[][2]string{{`related("CONTACTS", record.contact_id).name`, `"Acme"`}, {`related("CONTACTS", "missing").name`, `null`}}},
			overloads("related", cel.DynType, types1(lookupType, cel.StringType, cel.StringType)), related, true},
	}, dateFunctions()...)
}

// Functions lists the functions of expressions, without those of CEL itself.
func Functions() []Function {
	var out []Function
	for _, f := range functions() {
		out = append(out, f.Function)
	}
	return out
}

func dyns(n int) []*cel.Type {
	out := make([]*cel.Type, n)
	for i := range out {
		out[i] = cel.DynType
	}
	return out
}

func numberPairs() [][]*cel.Type {
	return [][]*cel.Type{{decimalType, decimalType}, {decimalType, cel.IntType}, {cel.IntType, decimalType}, {cel.IntType, cel.IntType}}
}

func divideArgs() (out [][]*cel.Type) {
	for _, p := range numberPairs() {
		out = append(out, []*cel.Type{p[0], p[1], cel.IntType}, []*cel.Type{p[0], p[1], cel.IntType, cel.StringType})
	}
	return out
}

func toDecimal(args ...ref.Val) ref.Val {
	if s, ok := args[0].(types.String); ok {
		d, err := parseDecimal(strings.TrimSpace(string(s)))
		if err != nil {
			return failure(err)
		}
		return d
	}
	if d, ok := number(args[0]); ok {
		return d
	}
	return types.NewErr("no such overload")
}

// digits reads the last arguments of round and divide.
func digits(args []ref.Val) (scale int64, mode string, ok bool) {
	n, ok := args[0].(types.Int)
	if !ok {
		return 0, "", false
	}
	mode = "half_up"
	if len(args) > 1 {
		s, isText := args[1].(types.String)
		mode, ok = string(s), isText
	}
	return int64(n), mode, ok
}

func roundCall(args ...ref.Val) ref.Val {
	d, ok := number(args[0])
	scale, mode, fine := digits(args[1:])
	if !ok || !fine {
		return types.NewErr("no such overload")
	}
	return rounded(d, scale, mode)
}

func divideCall(args ...ref.Val) ref.Val {
	a, ok := number(args[0])
	b, also := number(args[1])
	scale, mode, fine := digits(args[2:])
	if !ok || !also || !fine {
		return types.NewErr("no such overload")
	}
	return divided(a, b, scale, mode)
}

func absCall(args ...ref.Val) ref.Val {
	d, ok := number(args[0])
	if !ok {
		return types.NewErr("no such overload")
	}
	if d.v.Sign() >= 0 && !d.v.Negative {
		return d
	}
	return arithmetic("-", fromInt(0), d)
}

func sumCall(args ...ref.Val) ref.Val {
	l, ok := args[0].(traits.Lister)
	if !ok {
		return types.NewErr("no such overload")
	}
	var total ref.Val = fromInt(0)
	for i := range l.Size().(types.Int) {
		v := l.Get(i)
		if isNull(v) {
			continue
		}
		if total = computed("+", total, v); types.IsError(total) {
			return total
		}
	}
	return total
}

func pick(args []ref.Val, sign int) ref.Val {
	a, ok := number(args[0])
	b, also := number(args[1])
	if !ok || !also {
		return types.NewErr("no such overload")
	}
	if b.v.Cmp(&a.v)*sign > 0 {
		return b
	}
	return a
}

// plain is a value's text, if it has one.
func plain(v ref.Val) (string, bool) {
	switch x := v.(type) {
	case types.String:
		return string(x), true
	case *decimal:
		return x.String(), true
	case types.Int, types.Bool, types.Timestamp, types.Duration:
		s, ok := x.ConvertToType(types.StringType).(types.String)
		return string(s), ok
	}
	return "", false
}

func textCall(args ...ref.Val) ref.Val {
	if s, ok := plain(args[0]); ok {
		return types.String(s)
	}
	return failure(safe("text: a list or an object has no text"))
}

func coalesce(args ...ref.Val) ref.Val {
	for _, a := range args {
		if !isNull(a) {
			return a
		}
	}
	return null{}
}

func hashCall(args ...ref.Val) ref.Val {
	s, ok := plain(args[0])
	if !ok {
		return failure(safe("hash: a list or an object has no text"))
	}
	if len(args) == 1 {
		sum := sha256.Sum256([]byte(s))
		return types.String(hex.EncodeToString(sum[:]))
	}
	salt, ok := args[1].(types.String)
	if !ok {
		return types.NewErr("no such overload")
	}
	m := hmac.New(sha256.New, []byte(salt))
	m.Write([]byte(s))
	return types.String(hex.EncodeToString(m.Sum(nil)))
}

func maskCall(args ...ref.Val) ref.Val {
	s, ok := args[0].(types.String)
	keep := types.Int(4)
	if len(args) > 1 && ok {
		keep, ok = args[1].(types.Int)
	}
	if !ok {
		return types.NewErr("no such overload")
	}
	n := utf8.RuneCountInString(string(s))
	stars := n - int(min(max(keep, 0), types.Int(n)))
	if keep >= types.Int(n) {
		stars = n // all of it would not be masked at all
	}
	return types.String(strings.Repeat("*", stars) + string([]rune(string(s))[stars:]))
}

func firstCall(args ...ref.Val) ref.Val {
	l, ok := args[0].(traits.Lister)
	if !ok {
		return types.NewErr("no such overload")
	}
	if l.Size() == types.IntZero {
		return null{}
	}
	return l.Get(types.IntZero)
}
