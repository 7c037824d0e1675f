package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzQuote quotes any answer: short, of one line, valid, and without the
// secret, however the answer wraps it.
func FuzzQuote(f *testing.F) {
	f.Add("s3cret", []byte("no such key: s3cret"))
	f.Add("two words", []byte("no such key: two\nwords"))
	f.Add("s3cret", []byte(strings.Repeat("x", maxQuote-6)+"s3cret"))
	f.Fuzz(func(t *testing.T, secret string, answer []byte) {
		if len(secret) < 4 || !utf8.ValidString(secret) || strings.ContainsAny(secret, "*…\uFFFD") {
			return
		}
		r := redactor{}
		r.add(secret)
		got := r.quote(answer)
		if strings.Contains(got, secret) {
			t.Errorf("%q quotes the secret %q", got, secret)
		}
		if len(got) > maxQuote || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\t\x00") {
			t.Errorf("quoted %q", got)
		}
	})
}
