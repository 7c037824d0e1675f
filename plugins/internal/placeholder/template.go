// Package placeholder fills in templates such as "{object}/{date}" for a record:
// the paths of files and objects, and the names of topics. It knows the
// placeholders and nothing of where the result goes.
package placeholder

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// values are the placeholders, and what each stands for.
var values = map[string]func(object string, r *destination.Record) string{
	"object":      func(object string, _ *destination.Record) string { return object },
	"source":      func(_ string, r *destination.Record) string { return r.Origin.Source },
	"company_id":  func(_ string, r *destination.Record) string { return r.Origin.CompanyID },
	"integration": func(_ string, r *destination.Record) string { return r.Origin.Integration },
	"model":       func(_ string, r *destination.Record) string { return r.Origin.Model },
	"date":        func(_ string, r *destination.Record) string { return formatTime(r.OccurredAt, time.DateOnly) },
	"hour":        func(_ string, r *destination.Record) string { return formatTime(r.OccurredAt, "15") },
}

func formatTime(t time.Time, form string) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(form)
}

// Extra gives values to placeholders that only the caller knows.
type Extra map[string]string

// Template is text with placeholders.
type Template struct{ pieces []piece }

// piece is literal text or, when isValue is set, the name of a placeholder.
type piece struct {
	text    string
	isValue bool
}

// Parse reads a template. The characters of forbidden may not stand in its
// literal text; extra names placeholders besides the usual ones.
func Parse(text, forbidden string, extra ...string) (Template, error) {
	var t Template
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if at := strings.IndexAny(literal, "}"+forbidden); at >= 0 {
			return Template{}, fmt.Errorf("%q: %q has a character that names should not have", text, literal)
		}
		if literal != "" {
			t.pieces = append(t.pieces, piece{text: literal})
		}
		if !found {
			break
		}
		name, end, closed := strings.Cut(after, "}")
		if !closed || values[name] == nil && !slices.Contains(extra, name) {
			return Template{}, fmt.Errorf("%q: unknown placeholder at %q (use %s)", text, "{"+after, names(extra))
		}
		t.pieces = append(t.pieces, piece{text: name, isValue: true})
		rest = end
	}
	return t, nil
}

func names(extra []string) string {
	all := slices.AppendSeq(slices.Clone(extra), maps.Keys(values))
	slices.Sort(all)
	return "{" + strings.Join(all, "} {") + "}"
}

// Uses reports whether the template holds one of the placeholders.
func (t Template) Uses(names ...string) bool {
	return slices.ContainsFunc(t.pieces, func(p piece) bool { return p.isValue && slices.Contains(names, p.text) })
}

// Expand fills the template in for a record. Every value goes through escape.
func (t Template) Expand(object string, r *destination.Record, extra Extra, escape func(string) string) string {
	var b strings.Builder
	for _, p := range t.pieces {
		switch {
		case !p.isValue:
			b.WriteString(p.text)
		case values[p.text] != nil:
			b.WriteString(escape(values[p.text](object, r)))
		default:
			b.WriteString(escape(extra[p.text]))
		}
	}
	return b.String()
}
