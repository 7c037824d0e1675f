package config

import (
	"errors"
	"strings"
	"unicode"
)

// Pattern is a name in which * stands for any characters and ? for one.
type Pattern string

// Literal reports whether the pattern has no wildcards.
func (p Pattern) Literal() bool { return !strings.ContainsAny(string(p), "*?") }

// Check refuses patterns that cannot match what their author means.
func (p Pattern) Check() error {
	switch {
	case p == "":
		return errors.New("must not be empty")
	case strings.ContainsAny(string(p), `[]{}()|^$\!,`):
		return errors.New("has characters that no name has; only * and ? are wildcards")
	case strings.ContainsFunc(string(p), func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }):
		return errors.New("has white space; no name has")
	}
	return nil
}

// Match reports whether the whole of s fits the pattern. Its time is bounded by
// the product of the lengths.
func (p Pattern) Match(s string) bool {
	pattern, name := []rune(string(p)), []rune(s)
	var i, j int
	star, mark := -1, 0 // the last * and where the name was then
	for j < len(name) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == name[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}
