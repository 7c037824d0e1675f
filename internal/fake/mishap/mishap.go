// Package mishap decides when a fake fails by itself: now and then, and always at
// the same calls. What the failures are, the fakes know.
package mishap

import (
	"fmt"
	"slices"
	"strings"
)

// DefaultEvery is how many calls lie between two mishaps.
const DefaultEvery = 10

// Plan plays the mishaps in turn, one every so many calls. The zero value plays
// none. It is not safe for concurrent use.
type Plan struct {
	Names []string
	Every int // 0: DefaultEvery

	calls, next int
}

// Next counts a call and returns the mishap that it meets, if any. One that does
// not fit the call waits for the first that it fits.
func (p *Plan) Next(fits func(name string) bool) (string, bool) {
	if len(p.Names) == 0 {
		return "", false
	}
	every := p.Every
	if every <= 0 {
		every = DefaultEvery
	}
	p.calls++
	name := p.Names[p.next%len(p.Names)]
	if p.calls < every || !fits(name) {
		return "", false
	}
	p.calls = 0
	p.next++
	return name, true
}

// Parse reads the names of mishaps as a flag has them: some of known, all or none.
func Parse(names, known []string) ([]string, error) {
	var out []string
	for _, name := range names {
		switch {
		case name == "all":
			out = append(out, known...)
		case name == "none":
		case slices.Contains(known, name):
			out = append(out, name)
		default:
			return nil, fmt.Errorf("%q is none of %s, all, none", name, strings.Join(known, ", "))
		}
	}
	return out, nil
}
