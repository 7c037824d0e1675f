package expr

import (
	"bytes"
	"encoding/json"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// maxNesting bounds the lists and objects within one another that an expression
// may look into: each level that is read is read through to its end.
const maxNesting = 100

var errDeep = safe("lists and objects are nested too deeply")

// deep reports whether JSON has more levels than expressions take.
func deep(raw []byte) bool {
	level, inText := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '[' || c == '{':
			if level++; level > maxNesting {
				return true
			}
		case c == ']' || c == '}':
			level--
		}
	}
	return false
}

// list is a list of a record. Its elements are read when the first of them is
// asked for, what is within them later; it keeps its JSON, to be passed on as it
// came.
type list struct {
	raw   json.RawMessage
	items []json.RawMessage
	all   traits.Lister
}

func (l *list) elements() traits.Lister {
	if l.all == nil {
		values := make([]ref.Val, len(l.items))
		for i, item := range l.items {
			values[i] = fromJSON(item, "")
		}
		l.all = types.NewRefValList(types.DefaultTypeAdapter, values)
	}
	return l.all
}

func (l *list) same(other ref.Val) bool {
	o, ok := other.(*list)
	return ok && bytes.Equal(l.raw, o.raw)
}

// The methods of traits.Lister.

func (l *list) Add(other ref.Val) ref.Val                   { return l.elements().Add(other) }
func (l *list) Contains(v ref.Val) ref.Val                  { return in(v, l) }
func (l *list) ConvertToNative(t reflect.Type) (any, error) { return l.elements().ConvertToNative(t) }
func (l *list) ConvertToType(t ref.Type) ref.Val            { return l.elements().ConvertToType(t) }
func (l *list) Equal(other ref.Val) ref.Val                 { return types.Bool(equal(l, other)) }
func (l *list) Get(i ref.Val) ref.Val                       { return l.elements().Get(i) }
func (l *list) Iterator() traits.Iterator                   { return l.elements().Iterator() }
func (l *list) Size() ref.Val                               { return types.Int(len(l.items)) }
func (l *list) Type() ref.Type                              { return types.ListType }
func (l *list) Value() any                                  { return l.elements().Value() }
