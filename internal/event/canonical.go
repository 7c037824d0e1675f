package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Canonical returns the one form of a JSON value that the merge compares: no
// white space, object keys sorted, strings in their shortest escaping. Numbers
// keep their exact text (1.50 stays 1.50): this is money, and rewriting it
// would need a number type that the source never promised to fit.
func Canonical(raw json.RawMessage) (json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, fmt.Errorf("empty JSON value")
	}
	if isPlain(raw) {
		return raw, nil
	}
	if b, end, ok := appendCanonical(make([]byte, 0, len(raw)), raw, 0, 0); ok && end == len(raw) {
		return b, nil
	}
	return decoded(raw)
}

// decoded is the canonical form by way of Go values: the slow way, for what is
// nested very deep, and for the errors.
func decoded(raw json.RawMessage) (json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return marshalRaw(v)
}

// maxDepth bounds the recursion; what is nested deeper is decoded.
const maxDepth = 64

// appendCanonical appends the canonical form of the value at raw[i:] and returns
// where that ends. It gives up on what is not JSON.
func appendCanonical(b []byte, raw []byte, i, depth int) (_ []byte, end int, ok bool) {
	if i >= len(raw) || depth > maxDepth {
		return b, i, false
	}
	switch raw[i] {
	case '{':
		return appendObject(b, raw, i, depth)
	case '[':
		return appendArray(b, raw, i, depth)
	default:
		end = scalarEnd(raw, i)
		value := json.RawMessage(raw[i:end])
		if len(value) == 0 {
			return b, i, false
		}
		if !isPlain(value) {
			if value[0] != '"' || !json.Valid(value) {
				return b, i, false
			}
			var err error
			if value, err = decoded(value); err != nil {
				return b, i, false
			}
		}
		return append(b, value...), end, true
	}
}

func appendArray(b []byte, raw []byte, i, depth int) (_ []byte, end int, ok bool) {
	b = append(b, '[')
	i = space(raw, i+1)
	if i < len(raw) && raw[i] == ']' {
		return append(b, ']'), i + 1, true
	}
	for {
		if b, i, ok = appendCanonical(b, raw, i, depth+1); !ok {
			return b, i, false
		}
		if i = space(raw, i); i >= len(raw) {
			return b, i, false
		}
		b = append(b, raw[i])
		switch raw[i] {
		case ',':
			i = space(raw, i+1)
		case ']':
			return b, i + 1, true
		default:
			return b, i, false
		}
	}
}

// member is where a member of an object stands: name with quotes, colon, value.
type member struct{ begin, colon, end int }

func appendObject(b []byte, raw []byte, i, depth int) (_ []byte, end int, ok bool) {
	b = append(b, '{')
	i = space(raw, i+1)
	if i < len(raw) && raw[i] == '}' {
		return append(b, '}'), i + 1, true
	}
	begin, sorted := len(b), true
	members := make([]member, 0, 16)
	for {
		// A name that needs escapes sorts by what it says, not by how it is
		// written: that is left to the decoder.
		end = scalarEnd(raw, i)
		if i >= len(raw) || raw[i] != '"' || !isPlain(raw[i:end]) {
			return b, i, false
		}
		m := member{begin: len(b)}
		b = append(b, raw[i:end]...)
		m.colon = len(b)
		if i = space(raw, end); i >= len(raw) || raw[i] != ':' {
			return b, i, false
		}
		b = append(b, ':')
		if b, i, ok = appendCanonical(b, raw, space(raw, i+1), depth+1); !ok {
			return b, i, false
		}
		m.end = len(b)
		if n := len(members); n > 0 && compareNames(b, members[n-1], m) >= 0 {
			sorted = false
		}
		members = append(members, m)
		if i = space(raw, i); i >= len(raw) {
			return b, i, false
		}
		b = append(b, raw[i])
		switch raw[i] {
		case ',':
			i = space(raw, i+1)
			continue
		case '}':
			if !sorted {
				b = sortMembers(b, begin, members)
			}
			return b, i + 1, true
		}
		return b, i, false
	}
}

// compareNames compares what the names say, without their quotes.
func compareNames(b []byte, x, y member) int {
	return bytes.Compare(b[x.begin+1:x.colon-1], b[y.begin+1:y.colon-1])
}

// sortMembers writes the members again, in order. Of a name that occurs twice
// the last one counts, as for any decoder.
func sortMembers(b []byte, begin int, members []member) []byte {
	slices.SortStableFunc(members, func(x, y member) int { return compareNames(b, x, y) })
	out := make([]byte, 0, len(b)-begin)
	for n, m := range members {
		if n+1 < len(members) && compareNames(b, m, members[n+1]) == 0 {
			continue
		}
		out = append(append(out, b[m.begin:m.end]...), ',')
	}
	out[len(out)-1] = '}'
	return append(b[:begin], out...)
}

func space(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i
}

// scalarEnd returns where a string, a number or a literal ends.
func scalarEnd(raw []byte, i int) int {
	if i < len(raw) && raw[i] == '"' {
		for i++; i < len(raw) && raw[i] != '"'; i++ {
			if raw[i] == '\\' {
				i++
			}
		}
		return min(i+1, len(raw))
	}
	for i < len(raw) && bytes.IndexByte([]byte(",]}: \t\n\r"), raw[i]) < 0 {
		i++
	}
	return i
}

// marshalRaw is json.Marshal without the escaping of <, > and &, which would
// alter values that came unescaped.
func marshalRaw(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// isPlain recognises, without decoding, a scalar that is canonical already:
// numbers, literals, and strings of printable ASCII without escapes. Most
// values are of this kind.
func isPlain(raw json.RawMessage) bool {
	switch c := raw[0]; {
	case c == '{' || c == '[':
		return false
	case c == '"':
		if len(raw) < 2 || raw[len(raw)-1] != '"' {
			return false
		}
		for _, b := range raw[1 : len(raw)-1] {
			if b < 0x20 || b > 0x7e || b == '\\' || b == '"' {
				return false
			}
		}
		return true
	default:
		return json.Valid(raw)
	}
}
