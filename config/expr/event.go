package expr

import (
	"reflect"

	"cel.dev/cel-go/cel"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/sluicehq/sluice/internal/event"
)

// keyValue lets expressions read what identifies a record: its fields need not
// have it.
type keyValue event.RecordKey

var keyType = types.NewObjectType("key")

var keyFields = map[string]func(k *keyValue) string{
	"source":      func(k *keyValue) string { return k.Source },
	"company_id":  func(k *keyValue) string { return k.CompanyID },
	"integration": func(k *keyValue) string { return k.Integration },
	"model":       func(k *keyValue) string { return k.Model },
	"platform_id": func(k *keyValue) string { return k.PlatformID },
}

// Get implements traits.Indexer.
func (k *keyValue) Get(name ref.Val) ref.Val {
	s, _ := name.(types.String)
	if get, ok := keyFields[string(s)]; ok {
		return textOrNull(get(k))
	}
	return null{}
}

// IsSet implements traits.FieldTester.
func (k *keyValue) IsSet(name ref.Val) ref.Val { return types.Bool(!isNull(k.Get(name))) }

// ConvertToNative implements ref.Val.
func (k *keyValue) ConvertToNative(reflect.Type) (any, error) { return nil, errEvent }

// ConvertToType implements ref.Val.
func (k *keyValue) ConvertToType(ref.Type) ref.Val { return types.NewErr("no such overload") }

// Equal implements ref.Val.
func (k *keyValue) Equal(other ref.Val) ref.Val {
	o, ok := other.(*keyValue)
	return types.Bool(ok && *o == *k)
}

// Type implements ref.Val.
func (k *keyValue) Type() ref.Type { return keyType }

// Value implements ref.Val.
func (k *keyValue) Value() any { return k }

// envelopeField is the type of a field of event or key.
func envelopeField(name, field string) (*types.FieldType, bool) {
	if name == keyType.TypeName() {
		_, ok := keyFields[field]
		return &types.FieldType{Type: cel.StringType}, ok
	}
	f, ok := eventFields[field]
	return &types.FieldType{Type: f.typ}, ok
}

// ConvertToNative implements ref.Val.
func (e *eventValue) ConvertToNative(reflect.Type) (any, error) { return nil, errEvent }

// ConvertToType implements ref.Val.
func (e *eventValue) ConvertToType(ref.Type) ref.Val { return types.NewErr("no such overload") }

// Equal implements ref.Val.
func (e *eventValue) Equal(other ref.Val) ref.Val { return types.Bool(other == ref.Val(e)) }

// Type implements ref.Val.
func (e *eventValue) Type() ref.Type { return eventType }

// Value implements ref.Val.
func (e *eventValue) Value() any { return e }
