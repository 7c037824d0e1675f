package event

import (
	"bytes"
	"encoding/json"
	"fmt"
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
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return marshalRaw(v)
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
