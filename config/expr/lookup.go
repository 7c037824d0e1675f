package expr

import (
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Lookup finds records of the same source, company and integration, for
// related(). It returns nil for one that is not there.
type Lookup func(model, platformID string) *Object

// The hidden variable that brings the lookup to the calls of related.
const lookupVar = "@lookup"

var lookupType = types.NewOpaqueType("lookup")

func (Lookup) ConvertToNative(reflect.Type) (any, error) { return nil, errOutput }
func (Lookup) ConvertToType(ref.Type) ref.Val            { return types.NewErr("no such overload") }
func (Lookup) Equal(ref.Val) ref.Val                     { return types.False }
func (Lookup) Type() ref.Type                            { return lookupType }
func (l Lookup) Value() any                              { return l }

func related(args ...ref.Val) ref.Val {
	find, ok := args[0].(Lookup)
	model, isText := args[1].(types.String)
	if !ok || !isText {
		return types.NewErr("no such overload")
	}
	if isNull(args[2]) {
		return null{}
	}
	id, ok := plain(args[2])
	if !ok {
		return types.NewErr("no such overload")
	}
	if o := find(string(model), id); o != nil {
		return o
	}
	return null{}
}
