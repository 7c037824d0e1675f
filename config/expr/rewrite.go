package expr

import (
	"regexp"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// rewrite turns a parsed expression into the language of this package: other
// operators, decimals for literals with a point, and the lookup for related.
func rewrite(a *ast.AST, source string) {
	f := ast.NewExprFactory()
	next := ast.MaxID(a)
	id := func() int64 { next++; return next }
	text := []rune(source)
	// wrap puts a call around an expression, in its place.
	wrap := func(e ast.Expr, function string) {
		inner := f.NewUnspecifiedExpr(id())
		inner.SetKindCase(e)
		e.SetKindCase(f.NewCall(0, function, inner))
	}
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.ComprehensionKind:
			if r := e.AsComprehension().IterRange(); r.Kind() != ast.ListKind {
				wrap(r, eachFunction)
			}
		case ast.LiteralKind:
			if d, ok := e.AsLiteral().(types.Double); ok {
				at, _ := a.SourceInfo().GetOffsetRange(e.ID())
				e.SetKindCase(f.NewCall(0, "decimal", f.NewLiteral(id(), types.String(literal(text, int(at.Start), float64(d))))))
			}
		case ast.CallKind:
			call := e.AsCall()
			name, args := call.FunctionName(), call.Args()
			switch {
			case name == operators.LogicalAnd || name == operators.LogicalOr || name == operators.LogicalNot:
				for _, arg := range args {
					if mayBeNull(arg) {
						wrap(arg, holdsFunction)
					}
				}
			case name == operators.Conditional:
				if mayBeNull(args[0]) {
					wrap(args[0], holdsFunction)
				}
			case name == operators.Add && args[0].Kind() == ast.IdentKind && strings.HasPrefix(args[0].AsIdent(), "@"):
				// A list that a macro builds: CEL knows how to do that in place.
			case renamed[name] != "":
				e.SetKindCase(f.NewCall(0, renamed[name], args...))
			case name == "related" && !call.IsMemberFunction() && len(args) == 2:
				e.SetKindCase(f.NewCall(0, name, append([]ast.Expr{f.NewIdent(id(), lookupVar)}, args...)...))
			}
		}
	}))
}

// The functions that stand around lists and conditions so that null is an empty
// list and false.
const (
	eachFunction  = "@each"
	holdsFunction = "@holds"
)

// mayBeNull reports whether a condition may be null: comparisons and the like
// never are. Variables of macros are CEL's own.
func mayBeNull(e ast.Expr) bool {
	switch e.Kind() {
	case ast.SelectKind:
		return !e.AsSelect().IsTestOnly()
	case ast.IdentKind:
		return !strings.HasPrefix(e.AsIdent(), "@")
	case ast.CallKind:
		switch name := e.AsCall().FunctionName(); name {
		case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.NotStrictlyFalse,
			"==", "!=", "<", "<=", ">", ">=", renamed[operators.In], holdsFunction:
			return false
		}
		return true
	}
	return false
}

var literalText = regexp.MustCompile(`^-?\s*[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?`)

// literal is the text of a number in the source: its value was read as a float
// by CEL's parser and may have lost digits.
func literal(source []rune, at int, value float64) string {
	if at >= 0 && at < len(source) {
		found := strings.ReplaceAll(literalText.FindString(string(source[at:])), " ", "")
		if v, err := strconv.ParseFloat(found, 64); err == nil && v == value {
			return found
		}
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// decorate computes decimals of literals once, and makes functions give null
// where CEL's own refuse one.
func decorate(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	call, ok := i.(interpreter.InterpretableCall)
	if !ok {
		return i, nil
	}
	if call.Function() == "decimal" && len(call.Args()) == 1 {
		if c, ok := call.Args()[0].(interpreter.InterpretableConst); ok {
			if v := toDecimal(c.Value()); !types.IsError(v) {
				return interpreter.NewConstValue(call.ID(), v), nil
			}
		}
	}
	if call.Function() == "distinct" && len(call.Args()) == 1 {
		return &distinct{call}, nil
	}
	if name := call.Function(); name == "sort" && len(call.Args()) == 1 || name == "@sortByAssociatedKeys" && len(call.Args()) == 2 {
		return &sorted{call}, nil
	}
	if refuses := limits[call.Function()]; refuses != nil {
		call = &bounded{call, refuses}
	}
	if _, ok := own[call.Function()]; ok || strings.ContainsAny(call.Function()[:1], "_@") {
		return i, nil
	}
	return &nullable{call}, nil
}

// own are the functions that know what to do with null.
var own = func() map[string]struct{} {
	out := make(map[string]struct{})
	for _, name := range renamed {
		out[name] = struct{}{}
	}
	for _, f := range functions() {
		out[f.Name] = struct{}{}
	}
	return out
}()

// nullable is a call of a function of CEL that gives null when it fails and one
// of its arguments is null.
type nullable struct{ interpreter.InterpretableCall }

// Exec implements interpreter.InterpretableV2.
func (n *nullable) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v := n.InterpretableCall.Exec(frame)
	if !types.IsError(v) {
		return v
	}
	for _, a := range n.Args() {
		if isNull(a.Exec(frame)) {
			return null{}
		}
	}
	return v
}
