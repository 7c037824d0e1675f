package sqlcore

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// timeFormat is how instants are written: in UTC, of one width, so that they
// sort as text.
const timeFormat = "2006-01-02T15:04:05.000000Z"

// isNull reports whether a field has no value.
func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// judge returns the kind of column that a field gets by its first value.
func judge(n Digits, raw json.RawMessage) Kind {
	switch raw[0] {
	case 't', 'f':
		return Boolean
	case '{', '[':
		return JSON
	case '"':
		if _, ok := instant(unquote(raw), false); ok {
			return Timestamp
		}
		return Text
	default:
		if n.fit(string(raw)) {
			return Number
		}
		return Text
	}
}

// encode writes a value that is not null as the text that a column of the kind
// takes. It reports false if the value does not fit. With lenient, the catalog
// vouches for the kind, so that text which can only mean that kind fits too:
// "12.50" in a column of numbers, "2026-03-01" in one of instants.
func encode(k Kind, n Digits, lenient bool, raw json.RawMessage) (string, bool) {
	first := raw[0]
	switch k {
	case Boolean:
		if first == 't' || first == 'f' {
			return string(raw), true
		}
		if s := string(raw); lenient && (s == `"true"` || s == `"false"`) {
			return s[1 : len(s)-1], true
		}
		return "", false
	case Number:
		if first == '-' || first >= '0' && first <= '9' {
			s := string(raw)
			return s, n.fit(s)
		}
		if first == '"' && lenient {
			s := unquote(raw)
			return s, isPlainDecimal(s) && n.fit(s)
		}
		return "", false
	case Timestamp:
		if first != '"' {
			return "", false
		}
		t, ok := instant(unquote(raw), lenient)
		return t.Format(timeFormat), ok
	case JSON:
		return cleanJSON(raw), true
	default:
		return plain(raw), true
	}
}

// plain writes any value as text: a string without its quotes, everything else
// as its JSON.
func plain(raw json.RawMessage) string {
	if raw[0] == '"' {
		return cleanText(unquote(raw))
	}
	return cleanJSON(raw)
}

func unquote(raw json.RawMessage) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(raw, &s) // valid, or the record had been rejected
	return s
}

// instant reads an RFC 3339 date-time. With lenient it also reads a date, and a
// date-time without a zone, as UTC. What is finer than a microsecond is cut.
func instant(s string, lenient bool) (time.Time, bool) {
	if len(s) < len("2006-01-02") || s[4] != '-' || s[7] != '-' || strings.IndexByte(s, ',') >= 0 {
		return time.Time{}, false
	}
	layout := time.RFC3339
	if lenient {
		switch tail := s[len("2006-01-02"):]; {
		case tail == "":
			layout = time.DateOnly
		case !strings.ContainsAny(tail, "Z+-"):
			layout = "2006-01-02T15:04:05"
		}
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return time.Time{}, false
	}
	t = t.UTC()
	return t, t.Year() >= 1 && t.Year() <= 9999
}

// isPlainDecimal reports whether the text is a number as people write it, so that
// reading it as one loses nothing: no exponent, no leading zeros, no minus zero.
func isPlainDecimal(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if !isDigits(whole) || hasPoint && !isDigits(fraction) || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	return digits == s || strings.Trim(digits, "0.") != ""
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// cleanText replaces what no database takes in text: the NUL character and
// bytes that are not UTF-8 become the replacement character U+FFFD.
func cleanText(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return s
}

// cleanJSON does to a JSON value what cleanText does to text. Halves of surrogate
// pairs, which JSON can write and Unicode does not have, are replaced as well.
func cleanJSON(raw json.RawMessage) string {
	s := string(raw)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if !strings.Contains(s, `\u`) {
		return s
	}
	b := []byte(s)
	for i := 0; i < len(b)-1; i++ {
		if b[i] != '\\' {
			continue
		}
		if b[i+1] != 'u' {
			i++ // the escaped character, which may be a backslash
			continue
		}
		switch r := hex4(b[i+2:]); {
		case r >= 0xD800 && r < 0xDC00 && isLow(b[i+6:]):
			i += 11
		case r == 0, r >= 0xD800 && r < 0xE000:
			copy(b[i+2:], "fffd")
			i += 5
		default:
			i += 5
		}
	}
	return string(b)
}

func isLow(b []byte) bool {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return false
	}
	r := hex4(b[2:])
	return r >= 0xDC00 && r < 0xE000
}

func hex4(b []byte) int64 {
	r, err := strconv.ParseInt(string(b[:4]), 16, 32)
	if err != nil { // the value is valid JSON
		return -1
	}
	return r
}
