package expr

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

var errOutput = safe("gives a value that has no JSON form")

// appendJSON writes a value exactly: numbers as decimal text, what came from a
// record as it came.
func appendJSON(b []byte, v ref.Val) ([]byte, error) {
	switch x := v.(type) {
	case types.String:
		return quote(b, string(x))
	case *decimal:
		return append(b, x.json()...), nil
	case types.Int:
		return strconv.AppendInt(b, int64(x), 10), nil
	case types.Bool:
		return strconv.AppendBool(b, bool(x)), nil
	case null, types.Null:
		return append(b, "null"...), nil
	case types.Timestamp:
		return quote(b, x.UTC().Format(time.RFC3339Nano))
	case types.Duration:
		return quote(b, x.String())
	case *list:
		return append(b, x.raw...), nil
	case *Object:
		return x.appendJSON(b)
	case traits.Mapper:
		return appendMap(b, x)
	case traits.Lister:
		return appendList(b, x)
	default:
		return b, errOutput
	}
}

// json is text that JSON takes: a number that was text (.5, +1) may not be.
func (d *decimal) json() string {
	if d.text != "" && json.Valid([]byte(d.text)) {
		return d.text
	}
	return d.v.Text('f')
}

func (o *Object) appendJSON(b []byte) ([]byte, error) {
	switch {
	case o.absent():
		return append(b, "null"...), nil
	case o.raw != nil:
		return append(b, o.raw...), nil
	default:
		out, err := json.Marshal(o.Fields())
		if err != nil {
			return b, errJSON
		}
		return append(b, out...), nil
	}
}

func quote(b []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return encode(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), nil
}

// encode writes a value in the general way.
func encode(b []byte, v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return b, errOutput
	}
	return append(b, bytes.TrimRight(out.Bytes(), "\n")...), nil
}

func appendList(b []byte, l traits.Lister) ([]byte, error) {
	b = append(b, '[')
	n, _ := l.Size().(types.Int)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, l.Get(i)); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// appendMap writes the keys in order: the same value is the same text.
func appendMap(b []byte, m traits.Mapper) ([]byte, error) {
	fields := make(map[string]json.RawMessage)
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		name, ok := k.(types.String)
		if !ok {
			return b, errOutput
		}
		value, err := appendJSON(nil, m.Get(k))
		if err != nil {
			return b, err
		}
		fields[string(name)] = value
	}
	return encode(b, fields)
}
