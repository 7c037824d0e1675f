package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/plugins/internal/rawjson"
)

// errFields is what decodeFields says of anything that is not one JSON object.
// It quotes nothing: the contents are the customer's books.
var errFields = errors.New("fields are not a JSON object")

// encodeFields writes fields as one JSON object. Values pass through byte by
// byte, so a number keeps its text.
func encodeFields(fields map[string]json.RawMessage) ([]byte, error) {
	size := 2
	for name, value := range fields {
		size += len(name) + len(value) + 4
	}
	b := append(make([]byte, 0, size), '{')
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendName(b, name)
		b = append(b, ':')
		value := fields[name]
		switch {
		case value == nil:
			b = append(b, "null"...)
		case rawjson.Valid(value):
			b = append(b, value...)
		default:
			return nil, fmt.Errorf("field %q: the value is not JSON", name)
		}
	}
	return append(b, '}'), nil
}

func appendName(b []byte, name string) []byte {
	if isPlain(name) {
		b = append(b, '"')
		b = append(b, name...)
		return append(b, '"')
	}
	quoted, err := json.Marshal(name)
	if err != nil { // a string always marshals
		panic(err)
	}
	return append(b, quoted...)
}

// isPlain reports whether name is the same inside and outside of quotes.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decodeFields splits one JSON object into its members in a single pass. The
// values are slices of b, which the caller must not reuse. Values were checked
// by encodeFields at the other end; here they are only delimited.
func decodeFields(b []byte) (map[string]json.RawMessage, error) {
	s := splitter{b: b}
	if s.next() == 0 { // a sender may leave out an empty object
		return map[string]json.RawMessage{}, nil
	}
	if !s.eat('{') {
		return nil, errFields
	}
	fields := map[string]json.RawMessage{}
	if s.eat('}') {
		return fields, s.end()
	}
	for {
		s.space()
		quoted, ok := s.text()
		if !ok {
			return nil, errFields
		}
		name, err := unquote(quoted)
		if err != nil || !s.eat(':') {
			return nil, errFields
		}
		value, ok := s.value()
		if !ok {
			return nil, errFields
		}
		fields[name] = value
		if s.eat('}') {
			return fields, s.end()
		}
		if !s.eat(',') {
			return nil, errFields
		}
	}
}

func unquote(quoted []byte) (string, error) {
	if inner := string(quoted[1 : len(quoted)-1]); isPlain(inner) {
		return inner, nil
	}
	var name string
	err := json.Unmarshal(quoted, &name)
	return name, err
}

// splitter finds the borders of JSON values.
type splitter struct {
	b []byte
	i int
}

func (s *splitter) space() {
	for s.i < len(s.b) && strings.IndexByte(" \t\r\n", s.b[s.i]) >= 0 {
		s.i++
	}
}

// next returns the next byte that is not white space, or 0 at the end.
func (s *splitter) next() byte {
	s.space()
	if s.i == len(s.b) {
		return 0
	}
	return s.b[s.i]
}

func (s *splitter) eat(c byte) bool {
	if s.next() != c || s.i == len(s.b) {
		return false
	}
	s.i++
	return true
}

func (s *splitter) end() error {
	if s.space(); s.i != len(s.b) {
		return errFields
	}
	return nil
}

// text takes one quoted string, quotes included.
func (s *splitter) text() ([]byte, bool) {
	start := s.i
	if s.i == len(s.b) || s.b[s.i] != '"' {
		return nil, false
	}
	for s.i++; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case '\\':
			s.i++
		case '"':
			s.i++
			return s.b[start:s.i:s.i], true
		}
	}
	s.i = len(s.b)
	return nil, false
}

// value takes one value of any type.
func (s *splitter) value() (json.RawMessage, bool) {
	switch c := s.next(); c {
	case '"':
		return s.text()
	case '{', '[':
		return s.nested()
	default:
		start := s.i
		for s.i < len(s.b) && strings.IndexByte(",:}] \t\r\n\"{[", s.b[s.i]) < 0 {
			s.i++
		}
		return s.b[start:s.i:s.i], s.i > start
	}
}

func (s *splitter) nested() (json.RawMessage, bool) {
	start, depth := s.i, 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if _, ok := s.text(); !ok {
				return nil, false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.i++
		if depth == 0 {
			return s.b[start:s.i:s.i], true
		}
	}
	return nil, false
}
