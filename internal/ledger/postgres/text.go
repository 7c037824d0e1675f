package postgres

import "strings"

// text makes a string one that PostgreSQL can store: it knows no zero bytes, and
// only UTF-8.
func text(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}
