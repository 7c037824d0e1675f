package expr

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// direct are shorter ways for what most expressions consist of: fields of
// variables, and calls of functions of this package. They give what CEL's own
// steps give, which a test holds them to. Expressions that loop do not have
// them: their steps are counted, and their variables may hide those of Vars.
type direct struct {
	fields map[int64]string // field that is selected of an identifier, by the id of the selection
	calls  map[string]func(args ...ref.Val) ref.Val
}

func newDirect(checked *ast.AST) *direct {
	d := &direct{fields: make(map[int64]string), calls: calls()}
	ast.PreOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.SelectKind || e.AsSelect().IsTestOnly() {
			return
		}
		if on := e.AsSelect().Operand(); on.Kind() == ast.IdentKind {
			d.fields[e.ID()] = e.AsSelect().FieldName()
		}
	}))
	return d
}

func (d *direct) decorate(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch x := i.(type) {
	case interpreter.InterpretableAttribute:
		attr, ok := x.Attr().(interpreter.NamespacedAttribute)
		if !ok || len(attr.Qualifiers()) != 1 || len(attr.CandidateVariableNames()) != 1 {
			return i, nil
		}
		name, ok := d.fields[attr.ID()]
		of := variables[attr.CandidateVariableNames()[0]]
		if !ok || of == nil {
			return i, nil
		}
		return &selection{i, of, types.String(name)}, nil
	case interpreter.InterpretableCall:
		if run := d.calls[x.Function()]; run != nil {
			return &call{x, x.Args(), run}, nil
		}
	}
	return i, nil
}

// variables are those that have fields.
var variables = map[string]func(v *Vars) traits.Indexer{
	"record":   func(v *Vars) traits.Indexer { return v.Record.indexer() },
	"change":   func(v *Vars) traits.Indexer { return v.Change.indexer() },
	"previous": func(v *Vars) traits.Indexer { return v.Previous.indexer() },
	"item":     func(v *Vars) traits.Indexer { return v.Item.indexer() },
	"event":    func(v *Vars) traits.Indexer { return (*eventValue)(v.Event) },
	"key":      func(v *Vars) traits.Indexer { return (*keyValue)(&v.Key) },
}

func (o *Object) indexer() traits.Indexer {
	if o.absent() {
		return null{}
	}
	return o
}

// selection is a field of a variable.
type selection struct {
	interpreter.InterpretableV2
	of   func(v *Vars) traits.Indexer
	name ref.Val
}

// Exec implements interpreter.InterpretableV2.
func (s *selection) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v, ok := frame.Scope().(*Vars)
	if !ok {
		return s.InterpretableV2.Exec(frame)
	}
	return s.of(v).Get(s.name)
}

// Eval implements interpreter.Interpretable.
func (s *selection) Eval(a interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(a, s.Exec)
}

// call is a call of a function of this package.
type call struct {
	interpreter.InterpretableCall
	args []interpreter.InterpretableV2
	run  func(args ...ref.Val) ref.Val
}

// Exec implements interpreter.InterpretableV2.
func (c *call) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	v, ok := frame.Scope().(*Vars)
	if !ok {
		return c.InterpretableCall.Exec(frame)
	}
	// Calls within one another share the space for their arguments.
	before := len(v.args)
	for _, arg := range c.args {
		value := arg.Exec(frame)
		if types.IsError(value) {
			v.args = v.args[:before]
			return value
		}
		v.args = append(v.args, value)
	}
	out := c.run(v.args[before:]...)
	v.args = v.args[:before]
	return out
}

// Eval implements interpreter.Interpretable.
func (c *call) Eval(a interpreter.Activation) ref.Val { return interpreter.EvalActivation(a, c.Exec) }
