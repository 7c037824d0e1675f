// Package rawjson looks at the values of records, which stay JSON as it came.
package rawjson

import "encoding/json"

// Valid reports what [json.Valid] does. Nearly all values are texts of plain
// characters, which are told without its state machine.
func Valid(b []byte) bool { return isPlainText(b) || json.Valid(b) }

// isPlainText reports whether b is a quoted text without escapes.
func isPlainText(b []byte) bool {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return false
	}
	for _, c := range b[1 : len(b)-1] {
		if c < 0x20 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
