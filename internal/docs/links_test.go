package docs

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	code    = regexp.MustCompile("`[^`]*`")
)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(p.prose, "x"), -1) {
			target, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: link %q: %v", p.path, m[1], err)
				continue
			}
			if target.Scheme != "" {
				continue // of somebody else: not ours to test
			}
			file := p.path
			if target.Path != "" {
				file = path.Join(path.Dir(p.path), target.Path)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: link %q leads nowhere", p.path, m[1])
				continue
			}
			if target.Fragment != "" && !anchors(pageAt(t, file))[target.Fragment] {
				t.Errorf("%s: link %q: %s has no such heading", p.path, m[1], file)
			}
		}
	}
}

// anchors are the names that GitHub gives to headings.
func anchors(p page) map[string]bool {
	out := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(p.prose, -1) {
		out[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, strings.TrimSpace(m[1]))] = true
	}
	return out
}
