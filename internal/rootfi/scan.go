package rootfi

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// The functions here walk JSON that is known to be valid, without decoding it:
// a large batch of records is counted in one pass and without allocations.

// members yields the names and the values of an object. A name that occurs twice
// is yielded twice: whoever keeps the last one reads as encoding/json does.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		i := space(object, 1)
		for object[i] != '}' {
			end := skip(object, i)
			name := object[i:end]
			i = space(object, end)      // at the colon
			i = space(object, i+1)      // at the value
			valueEnd := skip(object, i) // behind it
			if !yield(unquote(name), object[i:valueEnd]) {
				return
			}
			i = space(object, valueEnd)
			if object[i] == ',' {
				i = space(object, i+1)
			}
		}
	}
}

// elements yields the positions and the values of an array.
func elements(array []byte) iter.Seq2[int, []byte] {
	return func(yield func(index int, value []byte) bool) {
		i := space(array, 1)
		for index := 0; array[i] != ']'; index++ {
			end := skip(array, i)
			if !yield(index, array[i:end]) {
				return
			}
			i = space(array, end)
			if array[i] == ',' {
				i = space(array, i+1)
			}
		}
	}
}

// space returns the position of the next byte that is not white space.
func space(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r' {
		i++
	}
	return i
}

// skip returns the position behind the value that begins at i.
func skip(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			i++
			if depth == 0 {
				return i
			}
		}
	default:
		for i < len(b) && !isDelimiter(b[i]) {
			i++
		}
		return i
	}
}

func isDelimiter(c byte) bool {
	switch c {
	case ',', '}', ']', ':', ' ', '\n', '\t', '\r':
		return true
	}
	return false
}

func skipString(b []byte, i int) int {
	for i++; ; {
		n := bytes.IndexByte(b[i:], '"')
		end := i + n
		backslashes := 0
		for b[end-1-backslashes] == '\\' {
			backslashes++
		}
		i = end + 1
		if backslashes%2 == 0 {
			return i
		}
	}
}

// unquote returns what a JSON string says.
func unquote(quoted []byte) []byte {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return inner
	}
	return []byte(s)
}

// text returns what a JSON string says, and "" for any other value.
func text(raw []byte) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	return string(unquote(raw))
}

// scalar returns what a JSON string says or the exact text of a number, and ""
// for any other value.
func scalar(raw []byte) string {
	if len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		return string(raw)
	}
	return text(raw)
}

// isNull reports whether a member is absent or null.
func isNull(raw []byte) bool { return len(raw) == 0 || raw[0] == 'n' }
