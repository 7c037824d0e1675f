package main

import (
	"slices"
	"strings"
	"unicode"
)

// maxQuote is how much of what Salesforce says a message quotes.
const maxQuote = 300

// redactor takes the secrets of the settings out of text that a message will quote.
type redactor struct {
	secrets []string // longest first
}

func newRedactor(s settings) redactor {
	var r redactor
	for _, secret := range []string{s.ClientSecret, s.RefreshToken, s.PrivateKey} {
		if len(secret) >= 4 { // shorter ones would only garble the text
			r.secrets = append(r.secrets, secret)
		}
	}
	slices.SortFunc(r.secrets, func(a, b string) int { return len(b) - len(a) })
	return r
}

// quote returns the beginning of a text on one line, without secrets and
// without these further ones.
func (r *redactor) quote(text string, further ...string) string {
	for _, secret := range slices.Concat(r.secrets, further) {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if text = strings.Join(strings.Fields(text), " "); len(text) > maxQuote {
		text = strings.ToValidUTF8(text[:maxQuote-3], "") + "…"
	}
	return text
}
