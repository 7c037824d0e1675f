package expr

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// Problem is something wrong at a place within an expression.
type Problem struct {
	Line, Column int // both from 1
	Text         string
	// Word is a name that is not known, and Known are those that are, for a
	// suggestion.
	Word  string
	Known []string
}

// SyntaxError holds every problem of an expression.
type SyntaxError struct{ Problems []Problem }

func (e *SyntaxError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.Text
	}
	return strings.Join(texts, "; ")
}

// Check parses an expression and checks its types against the catalog.
func Check(source string, s Scope) (*Checked, error) {
	if strings.TrimSpace(source) == "" {
		return nil, &SyntaxError{[]Problem{{1, 1, "is empty", "", nil}}}
	}
	env, err := scopeEnv(s)
	if err != nil {
		return nil, err
	}
	parsed, issues := env.Parse(source)
	if issues.Err() != nil {
		return nil, syntaxError(issues)
	}
	rewrite(parsed.NativeRep(), source)
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, syntaxError(issues)
	}
	out := &Checked{ast: checked}
	native := checked.NativeRep()
	out.Type = fieldType(native.GetType(native.Expr().ID()))
	if root := native.Expr(); root.Kind() == ast.SelectKind && !root.AsSelect().IsTestOnly() {
		if on := root.AsSelect().Operand(); on.Kind() == ast.IdentKind && on.AsIdent() == "record" {
			out.Field = root.AsSelect().FieldName()
			if t := fieldKinds(s.Model)[out.Field]; t != "" {
				out.Type = t
			}
		}
	}
	if model, field := relatedField(native.Expr()); fieldKinds(model)[field] != "" {
		out.Type = fieldKinds(model)[field]
	}
	bad := &SyntaxError{}
	ast.PreOrderVisit(native.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		out.note(e, native, s)
		bad.compare(e, native)
		bad.floats(e, native)
	}))
	if len(bad.Problems) > 0 {
		return nil, bad
	}
	return out, nil
}

// relatedField takes apart related("MODEL", id).field.
func relatedField(e ast.Expr) (model, field string) {
	if e.Kind() != ast.SelectKind || e.AsSelect().IsTestOnly() {
		return "", ""
	}
	on := e.AsSelect().Operand()
	if on.Kind() != ast.CallKind || on.AsCall().FunctionName() != "related" || len(on.AsCall().Args()) != 3 {
		return "", ""
	}
	if name := on.AsCall().Args()[1]; name.Kind() == ast.LiteralKind {
		model, _ = name.AsLiteral().Value().(string)
	}
	return model, e.AsSelect().FieldName()
}

// note looks at one node of the expression.
func (c *Checked) note(e ast.Expr, in *ast.AST, s Scope) {
	switch e.Kind() {
	case ast.ComprehensionKind:
		c.loops = true
	case ast.IdentKind:
		switch e.AsIdent() {
		case lookupVar:
			c.Related = true
		case "change", "previous", "event":
			c.History = true
		}
	case ast.SelectKind:
		on := e.AsSelect().Operand()
		model := ""
		switch {
		case on.Kind() == ast.IdentKind && on.AsIdent() == "item":
			model = s.Item
		case on.Kind() == ast.IdentKind && (on.AsIdent() == "record" || on.AsIdent() == "change" || on.AsIdent() == "previous"):
			model = s.Model
		default:
			model, _ = relatedField(e)
		}
		field := e.AsSelect().FieldName()
		kinds := fieldKinds(model)
		if _, ok := kinds[field]; ok || kinds == nil {
			return
		}
		p := Problem{Text: fmt.Sprintf("%s has no field %q that is known", model, field), Word: field}
		for name := range kinds {
			p.Known = append(p.Known, name)
		}
		at := in.SourceInfo().GetStartLocation(e.ID())
		p.Line, p.Column = max(at.Line(), 1), at.Column()+2 // behind the point
		c.Warnings = append(c.Warnings, p)
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != "related" || len(call.Args()) != 3 || call.Args()[1].Kind() != ast.LiteralKind {
			return
		}
		model, _ := call.Args()[1].AsLiteral().Value().(string)
		if fieldKinds(model) == nil {
			at := in.SourceInfo().GetStartLocation(call.Args()[1].ID())
			c.Warnings = append(c.Warnings, Problem{max(at.Line(), 1), at.Column() + 1,
				fmt.Sprintf("%q is no data model that is known", model), model, models()})
		}
	}
}

// compare refuses comparisons of values whose types never fit: they are always
// false, and nobody means that.
func (e *SyntaxError) compare(call ast.Expr, in *ast.AST) {
	if call.Kind() != ast.CallKind || len(call.AsCall().Args()) != 2 {
		return
	}
	op, args := call.AsCall().FunctionName(), call.AsCall().Args()
	a, b := in.GetType(args[0].ID()), in.GetType(args[1].ID())
	switch op {
	case "==", "!=":
	case "is in":
		op = "in"
		switch {
		case b.Kind() == types.ListKind:
			b = b.Parameters()[0]
		case b.Kind() == types.MapKind:
			b = b.Parameters()[0]
		case open(b) || b.Kind() == types.StructKind:
			return
		default:
			e.add(call, in, fmt.Sprintf("in needs a list on its right, not %s", typeName(b)))
			return
		}
	default:
		return
	}
	if open(a) || open(b) || isNumber(a) && isNumber(b) || a.Kind() == b.Kind() && a.TypeName() == b.TypeName() {
		return
	}
	e.add(call, in, fmt.Sprintf("%s compares %s with %s, which are never equal", op, typeName(a), typeName(b)))
}

// floats refuses the functions of CEL that compute with floats, and numbers
// without a sign, which nothing takes.
func (e *SyntaxError) floats(call ast.Expr, in *ast.AST) {
	if call.Kind() != ast.CallKind {
		return
	}
	switch name := call.AsCall().FunctionName(); name {
	case "double", "uint":
		e.add(call, in, fmt.Sprintf("there is no %s: numbers are exact, use decimal()", name))
	case "format":
		e.add(call, in, "there is no format: its numbers are floats. Put texts together with + and text(), digits with round()")
	}
}

func (e *SyntaxError) add(at ast.Expr, in *ast.AST, text string) {
	l := in.SourceInfo().GetStartLocation(at.ID())
	e.Problems = append(e.Problems, Problem{Line: max(l.Line(), 1), Column: l.Column() + 1, Text: text})
}

// open reports whether nothing is known of a type, or it is null.
func open(t *cel.Type) bool {
	return t == nil || t.Kind() == types.DynKind || t.Kind() == types.NullTypeKind || t.Kind() == types.TypeParamKind || t.Kind() == types.ErrorKind
}

func isNumber(t *cel.Type) bool { return fieldType(t) == "number" }

func typeName(t *cel.Type) string {
	switch {
	case t.Kind() == types.StringKind:
		return "text"
	case isNumber(t):
		return "a number"
	case t.Kind() == types.StructKind:
		return "a record"
	}
	return "a " + t.String()
}

func syntaxError(issues *cel.Issues) error {
	out := &SyntaxError{}
	for _, e := range issues.Errors() {
		out.Problems = append(out.Problems, problem(e))
	}
	return out
}

var plainer = strings.NewReplacer("Syntax error: ", "", " (in container '')", "", "wrapper(string)", "string", lookupVar, "…", "lookup, ", "")

var (
	noOverload = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '\(?(.*?)\)?'$`)
	noField    = regexp.MustCompile(`^undefined field '(.*)'$`)
	typeNames  = strings.NewReplacer("decimal", "number", "int", "number", "string", "text", "dyn", "any", "bool", "true or false")
)

func problem(e *common.Error) Problem {
	p := Problem{Line: 1, Column: 1, Text: plainer.Replace(e.Message)}
	if e.Location != nil && e.Location.Line() > 0 {
		p.Line, p.Column = e.Location.Line(), e.Location.Column()+1
	}
	switch {
	case strings.Contains(p.Text, "'<EOF>'"):
		p.Text = "the expression is not complete"
	case strings.Contains(p.Text, " expecting "):
		p.Text, _, _ = strings.Cut(p.Text, " expecting ")
	}
	if m := noOverload.FindStringSubmatch(p.Text); m != nil {
		p.Text = fmt.Sprintf("%s cannot be applied to (%s)", strings.TrimPrefix(m[1], "minus"), typeNames.Replace(m[2]))
	}
	if m := noField.FindStringSubmatch(p.Text); m != nil {
		p.Text, p.Word = fmt.Sprintf("there is no field %s here", m[1]), m[1]
		p.Known = append(slices.Collect(maps.Keys(eventFields)), slices.Collect(maps.Keys(keyFields))...)
	}
	if name, ok := strings.CutPrefix(p.Text, "undeclared reference to '"); ok {
		name, _, _ = strings.Cut(name, "'")
		p.Text, p.Word = fmt.Sprintf("there is no %s", name), name
		p.Known = append([]string{"record", "change", "previous", "event", "key", "item", "index"}, functionNames()...)
	}
	return p
}

func functionNames() []string {
	var out []string
	for _, f := range functions() {
		out = append(out, f.Name)
	}
	return out
}

// fieldType is a type of CEL as fields of destinations have it.
func fieldType(t *cel.Type) string {
	if t == nil {
		return ""
	}
	switch t.Kind() {
	case types.BoolKind:
		return "boolean"
	case types.IntKind, types.UintKind:
		return "number"
	case types.StringKind:
		return "text"
	case types.TimestampKind:
		return "timestamp"
	case types.DurationKind:
		return "text"
	case types.ListKind, types.MapKind:
		return "json"
	}
	if t.TypeName() == decimalType.TypeName() {
		return "number"
	}
	return ""
}
