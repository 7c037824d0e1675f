package config_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/config"
)

// FuzzPattern compares patterns with the regular expressions that say the same.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{{"INV*", "INVOICES"}, {"*", ""}, {"?", "é"}, {"a*b*c", "aXbXbc"}, {"**?", ""}, {"*a*a*a*b", "aaaaaaaaaaaaaaaa"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(name) || len(pattern) > 100 || len(name) > 1000 {
			return
		}
		var e strings.Builder
		for _, c := range pattern {
			switch c {
			case '*':
				e.WriteString(".*")
			case '?':
				e.WriteByte('.')
			default:
				e.WriteString(regexp.QuoteMeta(string(c)))
			}
		}
		p := config.Pattern(pattern)
		if want := regexp.MustCompile(`(?s)\A` + e.String() + `\z`).MatchString(name); p.Match(name) != want {
			t.Errorf("%q matches %q: %t, want %t", pattern, name, !want, want)
		}
		if p.Literal() && p.Match(name) != (pattern == name) {
			t.Errorf("%q has no wildcards and matches %q", pattern, name)
		}
		_ = p.Check()
	})
}
