package config

import (
	"strings"
	"unicode/utf8"
)

// cursor walks through the text of a file and knows line and column as the YAML
// parser counts them: from 1, in characters.
type cursor struct {
	text         string
	offset       int
	line, column int
}

// moveTo goes forward to a byte offset.
func (c *cursor) moveTo(offset int) {
	for c.offset < offset && c.offset < len(c.text) {
		if n := lineBreak(c.text[c.offset:]); n > 0 {
			c.offset += n
			c.line++
			c.column = 1
			continue
		}
		_, size := utf8.DecodeRuneInString(c.text[c.offset:])
		c.offset += size
		c.column++
	}
}

// next goes forward to the next occurrence of s, from the cursor on.
func (c *cursor) next(s string) bool {
	i := strings.Index(c.text[c.offset:], s)
	if i < 0 {
		return false
	}
	c.moveTo(c.offset + i)
	return true
}

// lineBreak is the length of the line break that s begins with, 0 if there is none.
func lineBreak(s string) int {
	switch {
	case strings.HasPrefix(s, "\r\n"):
		return 2
	case strings.HasPrefix(s, "\n"), strings.HasPrefix(s, "\r"):
		return 1
	case strings.HasPrefix(s, "\u0085"):
		return len("\u0085")
	case strings.HasPrefix(s, "\u2028"), strings.HasPrefix(s, "\u2029"):
		return len("\u2028")
	}
	return 0
}

// splitLines returns the lines without their breaks; at least one.
func splitLines(text string) []string {
	var out []string
	start := 0
	for i := 0; i < len(text); {
		n := lineBreak(text[i:])
		if n == 0 {
			i++
			continue
		}
		out = append(out, text[start:i])
		i += n
		start = i
	}
	return append(out, text[start:])
}
