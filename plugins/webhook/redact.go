package main

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// maxQuote is how much of an answer a message quotes.
const maxQuote = 200

// redactor takes secrets of the settings out of text that a message will quote:
// endpoints like to echo what they got.
type redactor struct {
	secrets []string // longest first
}

func newRedactor(s settings) redactor {
	var r redactor
	for _, secret := range s.allSecrets() {
		r.add(secret)
		r.add(strings.TrimPrefix(secret, "whsec_"))
	}
	for _, value := range s.Headers {
		r.add(value)
		for word := range strings.FieldsSeq(value) {
			r.add(word)
		}
	}
	for _, text := range []string{s.URL, s.Proxy} {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		if password, ok := u.User.Password(); ok {
			r.add(password)
		}
		r.add(u.User.Username())
		r.add(u.RawQuery)
		for _, values := range u.Query() {
			for _, value := range values {
				r.add(value)
			}
		}
		// Many services put the token into the path.
		for part := range strings.SplitSeq(u.EscapedPath(), "/") {
			if len(part) >= 16 {
				r.add(part)
			}
		}
	}
	slices.SortFunc(r.secrets, func(a, b string) int { return len(b) - len(a) })
	return r
}

// add takes a secret in; very short ones would only garble the text.
func (r *redactor) add(secret string) {
	if len(secret) >= 4 {
		r.secrets = append(r.secrets, secret)
	}
}

func (r *redactor) clean(text string) string {
	for _, secret := range r.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// quote returns the beginning of an answer, on one line and without secrets.
func (r *redactor) quote(body []byte) string {
	text := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(r.clean(string(body)), "\uFFFD"))
	text = r.clean(strings.Join(strings.Fields(text), " ")) // once more: a line may have broken within a secret
	if len(text) > maxQuote {
		text = strings.ToValidUTF8(text[:maxQuote-3], "") + "…"
	}
	return text
}
