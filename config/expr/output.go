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

// toJSON writes a value exactly: numbers as decimal text, what came from a
// record as it came.
func toJSON(b *bytes.Buffer, v ref.Val) error {
	switch x := v.(type) {
	case types.String:
		return quote(b, string(x))
	case decimal:
		b.WriteString(x.json())
	case types.Int:
		b.WriteString(strconv.FormatInt(int64(x), 10))
	case types.Bool:
		b.WriteString(strconv.FormatBool(bool(x)))
	case null, types.Null:
		b.WriteString("null")
	case types.Timestamp:
		return quote(b, x.UTC().Format(time.RFC3339Nano))
	case types.Duration:
		return quote(b, x.String())
	case *list:
		b.Write(x.raw)
	case *Object:
		return x.json(b)
	case traits.Mapper:
		return mapJSON(b, x)
	case traits.Lister:
		return listJSON(b, x)
	default:
		return errOutput
	}
	return nil
}

// json is text that JSON takes: a number that was text (.5, +1) may not be.
func (d decimal) json() string {
	if d.text != "" && json.Valid([]byte(d.text)) {
		return d.text
	}
	return d.v.Text('f')
}

func (o *Object) json(b *bytes.Buffer) error {
	switch {
	case o == nil || o.fields == nil:
		b.WriteString("null")
	case o.raw != nil:
		b.Write(o.raw)
	default:
		out, err := json.Marshal(o.fields)
		if err != nil {
			return errJSON
		}
		b.Write(out)
	}
	return nil
}

func quote(b *bytes.Buffer, s string) error {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			e := json.NewEncoder(b)
			e.SetEscapeHTML(false)
			if err := e.Encode(s); err != nil {
				return errOutput
			}
			b.Truncate(b.Len() - 1) // the line break
			return nil
		}
	}
	b.WriteByte('"')
	b.WriteString(s)
	b.WriteByte('"')
	return nil
}

func listJSON(b *bytes.Buffer, l traits.Lister) error {
	b.WriteByte('[')
	n, _ := l.Size().(types.Int)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := toJSON(b, l.Get(i)); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

// mapJSON writes the keys in order: the same value is the same text.
func mapJSON(b *bytes.Buffer, m traits.Mapper) error {
	fields := make(map[string]json.RawMessage)
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		name, ok := k.(types.String)
		if !ok {
			return errOutput
		}
		var value bytes.Buffer
		if err := toJSON(&value, m.Get(k)); err != nil {
			return err
		}
		fields[string(name)] = value.Bytes()
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(fields); err != nil {
		return errOutput
	}
	b.Write(bytes.TrimRight(out.Bytes(), "\n"))
	return nil
}
