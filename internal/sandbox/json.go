package sandbox

import (
	"encoding/json"
	"strconv"
	"time"
)

// Bodies are written by appending, not by reflection: a load test must not be
// limited by its generator, and amounts must not pass through a float.

func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c < 0x20: // valid, though not the shortest form: receivers must cope
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// appendDecimal writes units / 10^decimals exactly. Some platforms drop
// trailing zeros, some keep them.
func appendDecimal(dst []byte, units int64, decimals int, keepZeros bool) []byte {
	if units < 0 {
		dst = append(dst, '-')
		units = -units
	}
	scale := int64(1)
	for range decimals {
		scale *= 10
	}
	dst = strconv.AppendInt(dst, units/scale, 10)
	rest := units % scale
	if decimals == 0 || rest == 0 && !keepZeros {
		return dst
	}
	dst = append(dst, '.')
	for scale /= 10; scale > 0 && (rest > 0 || keepZeros); scale /= 10 {
		dst = append(dst, byte('0'+rest/scale))
		rest %= scale
	}
	return dst
}

const stampLayout = "2006-01-02T15:04:05.000Z"

func appendTime(dst []byte, ms int64) []byte {
	dst = append(dst, '"')
	dst = time.UnixMilli(ms).UTC().AppendFormat(dst, stampLayout)
	return append(dst, '"')
}

// field is one named value of a record, as JSON text.
type field struct {
	name  string
	value json.RawMessage
}

// writer collects the fields of one record or one update. Values of nested
// objects are written between open and close.
type writer struct {
	buf    []byte
	names  []string
	starts []int
}

// field starts a top-level field: what is appended next is its value.
func (w *writer) field(name string) {
	w.names = append(w.names, name)
	w.starts = append(w.starts, len(w.buf))
}

// take returns the fields written so far in memory of their own, and resets.
func (w *writer) take() []field {
	text := append([]byte(nil), w.buf...)
	out := make([]field, len(w.names), len(w.names)+2)
	for i, name := range w.names {
		end := len(text)
		if i+1 < len(w.starts) {
			end = w.starts[i+1]
		}
		out[i] = field{name: name, value: text[w.starts[i]:end:end]}
	}
	w.buf, w.names, w.starts = w.buf[:0], w.names[:0], w.starts[:0]
	return out
}

func (w *writer) text(name, s string) {
	w.field(name)
	w.buf = appendString(w.buf, s)
}

// optional writes the text, or null when it is empty.
func (w *writer) optional(name, s string) {
	if s == "" {
		w.literal(name, "null")
		return
	}
	w.text(name, s)
}

func (w *writer) literal(name, json string) {
	w.field(name)
	w.buf = append(w.buf, json...)
}

func (w *writer) integer(name string, n int64) {
	w.field(name)
	w.buf = strconv.AppendInt(w.buf, n, 10)
}

func (w *writer) boolean(name string, b bool) {
	w.field(name)
	w.buf = strconv.AppendBool(w.buf, b)
}

func (w *writer) time(name string, ms int64) {
	w.field(name)
	w.buf = appendTime(w.buf, ms)
}

func (w *writer) open(c byte)  { w.buf = append(w.buf, c) }
func (w *writer) close(c byte) { w.buf = append(w.buf, c) }

// element separates array elements and object members. No value ends with an
// opening bracket, so the last byte tells whether this is the first one.
func (w *writer) element() {
	if c := w.buf[len(w.buf)-1]; c != '[' && c != '{' {
		w.buf = append(w.buf, ',')
	}
}

func (w *writer) member(name string) {
	w.element()
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '"', ':')
}

func (w *writer) memberText(name, s string) {
	w.member(name)
	w.buf = appendString(w.buf, s)
}

func (w *writer) memberLiteral(name, json string) {
	w.member(name)
	w.buf = append(w.buf, json...)
}

func (w *writer) memberInteger(name string, n int64) {
	w.member(name)
	w.buf = strconv.AppendInt(w.buf, n, 10)
}
