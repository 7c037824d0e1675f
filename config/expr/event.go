package expr

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

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
