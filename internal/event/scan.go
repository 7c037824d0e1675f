package event

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// scanState reads what EncodeState writes, without the cost of a general
// decoder: every record is decoded for every change and every delivery. It
// reports false for anything else, and has changed nothing then.
func (r *Record) scanState(b []byte) bool {
	got := Record{Fields: make(map[string]Field, 32)}
	s := scanner{raw: b, text: string(b)}
	ok := s.skip("{") &&
		s.stamp(`"w":[`, &got.Written) &&
		s.stamp(`"t":[`, &got.Tombstone)
	if ok && s.skip(`"g":[`) {
		var rest Field
		ok = s.group(&rest) && s.skip("]") && s.named(got.Fields) && s.skip(`,"f":{`) && s.values(got.Fields, rest)
	}
	if !ok || !s.skip("}") || s.at != len(b) {
		return false
	}
	r.Written, r.Tombstone, r.Fields = got.Written, got.Tombstone, got.Fields
	return true
}

// scanner is a position in the stored form. Names are parts of text and values
// parts of raw, so that neither is copied.
type scanner struct {
	raw  []byte
	text string
	at   int
}

func (s *scanner) skip(token string) bool {
	if !strings.HasPrefix(s.text[s.at:], token) {
		return false
	}
	s.at += len(token)
	return true
}

// stamp reads a stamp and the comma behind it, if one begins here.
func (s *scanner) stamp(token string, to *Stamp) bool {
	if !s.skip(token) {
		return true
	}
	ok := s.int(&to.At) && s.skip(",") && s.int(&to.Seq) && s.skip(",") && s.int(&to.Index) && s.skip("]")
	return ok && (s.skip(",") || strings.HasPrefix(s.text[s.at:], "}"))
}

func (s *scanner) int(to *int64) bool {
	end := s.at
	for end < len(s.text) && (s.text[end] == '-' || s.text[end] >= '0' && s.text[end] <= '9') {
		end++
	}
	var err error
	*to, err = strconv.ParseInt(s.text[s.at:end], 10, 64)
	s.at = end
	return err == nil
}

// name reads a name without escapes and in UTF-8: the general decoder makes other
// names of the rest.
func (s *scanner) name() (string, bool) {
	if !s.skip(`"`) {
		return "", false
	}
	n := strings.IndexByte(s.text[s.at:], '"')
	if n < 0 {
		return "", false
	}
	name := s.text[s.at : s.at+n]
	s.at += n + 1
	return name, strings.IndexByte(name, '\\') < 0 && utf8.ValidString(name)
}

// group reads a group up to its version.
func (s *scanner) group(f *Field) bool {
	return s.skip("[") && s.int(&f.Stamp.At) && s.skip(",") && s.int(&f.Stamp.Seq) && s.skip(",") &&
		s.int(&f.Stamp.Index) && s.skip(",") && s.int(&f.Version)
}

// named reads the groups that name their fields, and the end of all groups.
func (s *scanner) named(fields map[string]Field) bool {
	for s.skip(",") {
		var f Field
		if !s.group(&f) || !s.skip(",[") {
			return false
		}
		for {
			name, ok := s.name()
			if _, twice := fields[name]; !ok || twice {
				return false
			}
			fields[name] = f
			if !s.skip(",") {
				break
			}
		}
		if !s.skip("]]") {
			return false
		}
	}
	return s.skip("]")
}

// values gives each field its value, and those that no group names the stamp of
// the rest. All that a group names must be there, and none twice.
func (s *scanner) values(fields map[string]Field, rest Field) bool {
	groups := len(fields) > 0
	for n := 1; ; n++ {
		name, ok := s.name()
		f := rest
		if groups { // else a name that is there twice is seen at the end
			if got, known := fields[name]; known {
				f = got
			}
		}
		if !ok || f.Value != nil || !s.skip(":") {
			return false
		}
		if f.Value = s.value(); f.Value == nil {
			return false
		}
		fields[name] = f
		if !s.skip(",") {
			return s.skip("}") && n == len(fields)
		}
	}
}

// value returns the value that begins here. That it is JSON was seen when it was
// stored.
func (s *scanner) value() json.RawMessage {
	begin, depth := s.at, 0
	for s.at < len(s.raw) {
		switch s.raw[s.at] {
		case '"':
			if !s.string() {
				return nil
			}
			if depth == 0 {
				return s.raw[begin:s.at:s.at]
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.at++
			}
			if depth <= 0 {
				return s.raw[begin:s.at:s.at]
			}
		case ',':
			if depth == 0 {
				return s.raw[begin:s.at:s.at]
			}
		case ' ', '\t', '\r', '\n':
			if depth == 0 { // stored values are without
				return nil
			}
		}
		s.at++
	}
	return nil
}

// string steps over a string that may have escapes.
func (s *scanner) string() bool {
	for s.at++; ; {
		n := bytes.IndexByte(s.raw[s.at:], '"')
		if n < 0 {
			return false
		}
		s.at += n + 1
		backslashes := 0
		for s.raw[s.at-2-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return true
		}
	}
}
