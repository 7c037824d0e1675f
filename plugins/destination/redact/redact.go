// Package redact takes secrets out of text that a message will quote: systems
// like to echo what they got.
package redact

import (
	"slices"
	"strings"
	"unicode"
)

// Secrets are texts that must not be quoted. The zero value has none. It must not
// be added to while it is used.
type Secrets struct {
	list []string // longest first
}

// New returns these secrets.
func New(secrets ...string) Secrets {
	var s Secrets
	for _, secret := range secrets {
		s.Add(secret)
	}
	return s
}

// shortest is what a secret has at least: shorter ones would only garble texts.
const shortest = 4

// Add takes one more in.
func (s *Secrets) Add(secret string) {
	if len(secret) < shortest {
		return
	}
	at, _ := slices.BinarySearchFunc(s.list, secret, func(a, b string) int { return len(b) - len(a) })
	s.list = slices.Insert(s.list, at, secret)
}

// Clean returns the text without the secrets, and without these further ones.
func (s Secrets) Clean(text string, further ...string) string {
	for _, secret := range s.list {
		text = strings.ReplaceAll(text, secret, "***")
	}
	for _, secret := range further {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}

// Quote returns the beginning of a text, at most so many bytes of it, on one line
// and without the secrets.
func (s Secrets) Quote(text string, most int, further ...string) string {
	text = Line(s.Clean(text, further...), len(text)*4+most)
	return Line(s.Clean(text, further...), most) // once more: a line may have broken within a secret
}

// Line returns the beginning of a text, at most so many bytes of it, on one line.
func Line(text string, most int) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most-len("…")], "") + "…"
	}
	return text
}
