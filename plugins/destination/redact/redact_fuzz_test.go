package redact_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/plugins/destination/redact"
)

const most = 200

// FuzzQuote quotes any answer: short, of one line, valid, and without the
// secret, however the answer wraps it.
func FuzzQuote(f *testing.F) {
	f.Add("s3cret", "no such key: s3cret")
	f.Add("two words", "no such key: two\nwords")
	f.Add("s3cret", strings.Repeat("x", most-6)+"s3cret")
	f.Fuzz(func(t *testing.T, secret, answer string) {
		if len(secret) < 4 || !utf8.ValidString(secret) || strings.ContainsAny(secret, "*…\uFFFD") {
			return
		}
		got := redact.New(secret).Quote(answer, most)
		if strings.Contains(got, secret) {
			t.Errorf("%q quotes the secret %q", got, secret)
		}
		if len(got) > most || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\t\x00") {
			t.Errorf("quoted %q", got)
		}
	})
}

func TestClean(t *testing.T) {
	s := redact.New("abc", "secret", "secret-and-more")
	if got := s.Clean("abc secret-and-more, secret, t0ken", "t0ken", ""); got != "abc ***, ***, ***" {
		t.Errorf("got %q", got)
	}
	if got := (redact.Secrets{}).Quote("a\r\nb \xff", 20); got != "a b \uFFFD" {
		t.Errorf("got %q", got)
	}
}
