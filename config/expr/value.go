package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/sluicehq/sluice/internal/event"
)

// null is the value of a field that is absent or null. It has every field, all
// of them null, so that a.b.c of a partial record is null and no error.
type null struct{}

func (null) ConvertToNative(reflect.Type) (any, error) { return nil, nil }
func (null) ConvertToType(t ref.Type) ref.Val {
	if t == types.StringType {
		return types.String("null")
	}
	return null{}
}
func (null) Equal(other ref.Val) ref.Val { return types.Bool(isNull(other)) }
func (null) Type() ref.Type              { return types.NullType }
func (null) Value() any                  { return nil }
func (null) Get(ref.Val) ref.Val         { return null{} }
func (null) IsSet(ref.Val) ref.Val       { return types.False }

func isNull(v ref.Val) bool {
	switch x := v.(type) {
	case null, types.Null:
		return true
	case *Object:
		return x.absent()
	}
	return false
}

// Object is a record, or an object within one. Its fields are read from their
// JSON when they are asked for.
type Object struct {
	fields map[string]json.RawMessage
	merged *event.Record      // instead of fields, until all of them are asked for
	kinds  map[string]string  // what the catalog says of fields; may be nil
	raw    json.RawMessage    // of an object within a record
	read   map[string]ref.Val // lists and objects that were asked for
}

// NewObject returns a record of a data model with the given fields. nil fields
// make one that is not there: it equals null. It remembers what it has read, so
// one goroutine may use it at a time.
func NewObject(model string, fields map[string]json.RawMessage) *Object {
	return &Object{fields: fields, kinds: fieldKinds(model)}
}

// NewRecord returns what destinations are told of a merged record, which must
// not change meanwhile: most expressions ask for a few of its fields.
func NewRecord(r *event.Record) *Object {
	return &Object{merged: r, kinds: fieldKinds(r.Key.Model)}
}

func (o *Object) absent() bool { return o == nil || o.fields == nil && o.merged == nil }

// Fields returns all fields; nil of an object that is not there. Do not change
// them.
func (o *Object) Fields() map[string]json.RawMessage {
	if o.fields == nil && o.merged != nil {
		o.fields = o.merged.Visible()
	}
	return o.fields
}

// Raw returns a field as it came.
func (o *Object) Raw(name string) (json.RawMessage, bool) {
	if o.fields == nil && o.merged != nil {
		return o.merged.Told(name)
	}
	raw, ok := o.fields[name]
	return raw, ok
}

var objectType = types.NewObjectType("object")

// ConvertToNative implements ref.Val.
func (o *Object) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("a record has no native form")
}

// ConvertToType implements ref.Val.
func (o *Object) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return objectType
	}
	return types.NewErr("no such overload")
}

// Equal implements ref.Val.
func (o *Object) Equal(other ref.Val) ref.Val { return types.Bool(equal(o, other)) }

// Type implements ref.Val.
func (o *Object) Type() ref.Type { return objectType }

// Value implements ref.Val.
func (o *Object) Value() any { return o }

// Get implements traits.Indexer. An absent field is null.
func (o *Object) Get(name ref.Val) ref.Val {
	s, ok := name.(types.String)
	if !ok {
		return types.NewErr("no such overload")
	}
	raw, ok := o.Raw(string(s))
	if !ok {
		return null{}
	}
	if v, ok := o.read[string(s)]; ok {
		return v
	}
	v := fromJSON(raw, o.kinds[string(s)])
	switch v.(type) {
	case *list, *Object: // a loop may ask for them in each of its steps
		if o.read == nil {
			o.read = make(map[string]ref.Val)
		}
		o.read[string(s)] = v
	}
	return v
}

// IsSet implements traits.FieldTester: has(record.field) is about presence, and
// a null counts as present.
func (o *Object) IsSet(name ref.Val) ref.Val {
	s, ok := name.(types.String)
	if !ok {
		return types.NewErr("no such overload")
	}
	_, ok = o.Raw(string(s))
	return types.Bool(ok)
}

// fromJSON never fails: JSON was checked when it came in, and what is none is
// an error value where it is used.
func fromJSON(raw json.RawMessage, kind string) ref.Val {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return null{}
	}
	if (raw[0] == '{' || raw[0] == '[') && deep(raw) {
		return failure(errDeep)
	}
	switch raw[0] {
	case 'n':
		return null{}
	case 't':
		return types.True
	case 'f':
		return types.False
	case '"':
		return text(raw, kind)
	case '{':
		o := &Object{raw: raw, fields: map[string]json.RawMessage{}}
		if err := json.Unmarshal(raw, &o.fields); err != nil {
			return failure(errJSON)
		}
		return o
	case '[':
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return failure(errJSON)
		}
		return &list{raw: raw, items: items}
	}
	d, err := parseDecimal(string(raw))
	if err != nil {
		return failure(err)
	}
	return d
}

var errJSON = safe("is not JSON")

// text reads a string. Amounts come as text at times: where the catalog speaks
// of a number, text that is one becomes a number.
func text(raw json.RawMessage, kind string) ref.Val {
	var s string
	if inner := raw[1 : len(raw)-1]; !bytes.ContainsRune(inner, '\\') {
		s = string(inner)
	} else if err := json.Unmarshal(raw, &s); err != nil {
		return failure(errJSON)
	}
	if kind == "number" {
		if d, err := parseDecimal(s); err == nil {
			return d
		}
	}
	return types.String(s)
}
