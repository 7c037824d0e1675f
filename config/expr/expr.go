// Package expr compiles and evaluates the expressions of a configuration: CEL,
// with numbers that are exact decimals and never floats, and with nulls that
// pass through. It is pure: no clock, no I/O.
//
// A field that is absent or null is null; arithmetic and functions give null
// for it, comparisons by order are false, and == null tells. So an expression
// over a partial record fails only where it is wrong. What an evaluation costs
// is bounded, and the text of a failure never holds a value.
package expr

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/sluicehq/sluice/internal/event"
)

// costLimit bounds the steps of one evaluation: enough for some thousand lines
// of an invoice, and over within a fraction of a second.
const costLimit = 200_000

// maxLength bounds the text of an expression.
const maxLength = 10_000

// Vars are what an expression sees. Those that are nil are null. One goroutine
// may use them at a time.
type Vars struct {
	Key      event.RecordKey
	Event    *event.Event
	Record   *Object
	Change   *Object
	Previous *Object
	Item     *Object // of a list that is expanded
	Index    int
	Lookup   Lookup

	args []ref.Val // of calls under way
}

// ResolveName implements cel.Activation.
func (v *Vars) ResolveName(name string) (any, bool) {
	switch name {
	case "record":
		return object(v.Record), true
	case "change":
		return object(v.Change), true
	case "previous":
		return object(v.Previous), true
	case "item":
		return object(v.Item), true
	case "index":
		return types.Int(v.Index), true
	case "event":
		return (*eventValue)(v.Event), true
	case "key":
		return (*keyValue)(&v.Key), true
	case lookupVar:
		if v.Lookup == nil {
			return Lookup(func(string, string) *Object { return nil }), true
		}
		return v.Lookup, true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (*Vars) Parent() cel.Activation { return nil }

func object(o *Object) ref.Val {
	if o.absent() {
		return null{}
	}
	return o
}

// Program is a compiled expression. Evaluations may run at the same time.
type Program struct {
	source string
	check  *Checked
	cel    cel.Program
}

// Checked says what is known of an expression without a record.
type Checked struct {
	// Type of its value, as fields of destinations have it: boolean, number,
	// timestamp, text or json; "" when it depends on the record.
	Type string
	// Field is set when the expression is nothing but one field of the record.
	Field    string
	Warnings []Problem
	Related  bool // it calls related
	History  bool // it uses change, previous or event

	loops bool // it goes through lists: what it costs depends on the record
	ast   *cel.Ast
}

// Compile compiles an expression for records of any data model. A Problem of it
// is a [*SyntaxError].
func Compile(source string) (*Program, error) { return compile(source, true) }

// compile makes a program that takes the shorter ways where short says so.
func compile(source string, short bool) (*Program, error) {
	c, err := Check(source, Scope{})
	if err != nil {
		return nil, err
	}
	env, err := scopeEnv(Scope{})
	if err != nil {
		return nil, err
	}
	options := []cel.ProgramOption{cel.CustomDecoratorV2(decorate)}
	if c.loops {
		options = append(options, cel.CostLimit(costLimit), cel.CostTracking(costs{}))
	} else if short {
		// These evaluate each of their nodes once, and counting costs as much as that.
		options = append(options, cel.CustomDecoratorV2(newDirect(c.ast.NativeRep()).decorate))
	}
	p, err := env.Program(c.ast, options...)
	if err != nil {
		return nil, err
	}
	return &Program{source: source, check: c, cel: p}, nil
}

// String is the source of the expression.
func (p *Program) String() string { return p.source }

// Checked says what is known of the expression.
func (p *Program) Checked() *Checked { return p.check }

// Bool evaluates a condition. null counts as false.
func (p *Program) Bool(v *Vars) (bool, error) {
	out, err := p.eval(v)
	if err != nil {
		return false, err
	}
	if isNull(out) {
		return false, nil
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, safe("is neither true nor false")
	}
	return bool(b), nil
}

// JSON evaluates the expression to JSON. Numbers are exact decimal text.
func (p *Program) JSON(v *Vars) (json.RawMessage, error) {
	return p.AppendJSON(nil, v)
}

// AppendJSON appends the value of the expression as [Program.JSON] gives it.
func (p *Program) AppendJSON(b []byte, v *Vars) ([]byte, error) {
	out, err := p.eval(v)
	if err != nil {
		return b, err
	}
	return appendJSON(b, out)
}

func (p *Program) eval(v *Vars) (ref.Val, error) {
	v.args = v.args[:0] // of an evaluation that panicked
	out, _, err := p.cel.Eval(v)
	if err != nil {
		return nil, withoutValues(err)
	}
	return out, nil
}

// Scope says over what an expression is.
type Scope struct {
	Model string // "" when it is not known
	// Item is the data model of the elements of a list that is expanded, "" when
	// it is not known.
	Item string
}

var environments sync.Map // Scope → func() (*cel.Env, error)

// scopeEnv is made once for each scope; there are as many as data models.
func scopeEnv(s Scope) (*cel.Env, error) {
	made, _ := environments.LoadOrStore(s, sync.OnceValues(func() (*cel.Env, error) {
		base, err := baseEnv()
		if err != nil {
			return nil, err
		}
		record, item := modelType(s.Model), modelType(s.Item)
		return base.Extend(cel.Variable("record", record), cel.Variable("change", record),
			cel.Variable("previous", record), cel.Variable("item", item))
	}))
	return made.(func() (*cel.Env, error))()
}

var baseEnv = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	options := []cel.EnvOption{
		cel.CustomTypeProvider(&catalogProvider{registry}), cel.CustomTypeAdapter(registry),
		cel.StdLib(), cel.ClearMacros(), cel.Macros(cel.StandardMacros...), cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxLength), cel.EnableIdentifierEscapeSyntax(),
		ext.Strings(ext.StringsVersion(4)), ext.Lists(), ext.Encoders(),
		cel.Variable("event", eventType), cel.Variable("key", keyType), cel.Variable("index", cel.IntType), cel.Variable(lookupVar, lookupType),
	}
	options = append(options, operatorDecls()...)
	for _, f := range functions() {
		options = append(options, f.option())
	}
	return cel.NewCustomEnv(options...)
})

// eventValue lets expressions read an event's envelope.
type eventValue event.Event

var eventType = types.NewObjectType("event")

// eventFields are what expressions may ask of an event.
var eventFields = map[string]struct {
	typ *cel.Type
	get func(e *event.Event) ref.Val
}{
	"id":          {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(e.ID) }},
	"source":      {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(e.Source) }},
	"kind":        {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(string(e.Kind)) }},
	"format":      {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(e.Format) }},
	"company_id":  {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(e.CompanyID) }},
	"integration": {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(e.Integration) }},
	"model":       {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(e.Model) }},
	"operation":   {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(string(e.Operation)) }},
	"sync_id":     {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(e.SyncID) }},
	"job_id":      {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(e.JobID) }},
	"status":      {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(e.Status) }},
	"sync_type":   {cel.StringType, func(e *event.Event) ref.Val { return textOrNull(e.SyncType) }},
	"records":     {cel.IntType, func(e *event.Event) ref.Val { return types.Int(e.Records) }},
	"created_at":  {cel.TimestampType, func(e *event.Event) ref.Val { return timeOrNull(e.CreatedAt) }},
	"received_at": {cel.TimestampType, func(e *event.Event) ref.Val { return timeOrNull(e.ReceivedAt) }},
}

func textOrNull(s string) ref.Val {
	if s == "" {
		return null{}
	}
	return types.String(s)
}

func timeOrNull(t time.Time) ref.Val {
	if t.IsZero() {
		return null{}
	}
	return types.Timestamp{Time: t.UTC()}
}

// Get implements traits.Indexer.
func (e *eventValue) Get(name ref.Val) ref.Val {
	s, _ := name.(types.String)
	f, ok := eventFields[string(s)]
	if !ok || e == nil {
		return null{}
	}
	return f.get((*event.Event)(e))
}

// IsSet implements traits.FieldTester.
func (e *eventValue) IsSet(name ref.Val) ref.Val { return types.Bool(!isNull(e.Get(name))) }

var errEvent = errors.New("is no value of its own: name one of its fields")
