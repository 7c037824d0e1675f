package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Severity tells what keeps Sluice from starting from what does not. The zero
// value is an error.
type Severity int

// The severities.
const (
	SeverityError Severity = iota
	SeverityWarning
)

// String is "error" or "warning".
func (s Severity) String() string {
	if s == SeverityWarning {
		return "warning"
	}
	return "error"
}

// MarshalText writes the severity as its word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word; an unknown one is an error's.
func (s *Severity) UnmarshalText(b []byte) error {
	*s = SeverityError
	if string(b) == "warning" {
		*s = SeverityWarning
	}
	return nil
}

// Diagnostic is one problem of a configuration file. It holds no secret: values
// that came from ${…} or belong to a secret setting are not quoted.
type Diagnostic struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`   // from 1
	Column   int      `json:"column"` // from 1, in characters
	Path     string   `json:"path"`   // e.g. routes[0].to[1]; empty for the file as a whole
	Problem  string   `json:"problem"`
	Hint     string   `json:"hint,omitempty"` // what to do
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"` // what kind of problem it is
	// Text is the line of the file, secrets masked and cut to a readable length;
	// Caret is the column in it, from 1.
	Text  string `json:"text,omitempty"`
	Caret int    `json:"caret,omitempty"`

	line int // over all files
}

// The rules that a configuration can break. They are ids for programs that
// gather problems; never rename.
const (
	RuleSyntax      = "syntax"      // the file is not the YAML that it should be
	RuleSetting     = "setting"     // a key or value is not known, missing, or of the wrong type
	RuleReference   = "reference"   // ${…} names something that is not there
	RuleSecret      = "secret"      // a secret stands in the file
	RuleSource      = "source"      // a source cannot work as it is written
	RuleDestination = "destination" // a destination cannot work as it is written
	RuleRoute       = "route"       // a route cannot work, or does nothing
	RulePlugin      = "plugin"      // a plugin is missing or refuses its settings
	RuleRestart     = "restart"     // a running Sluice cannot take this setting over
)

// String is file:line:column: path: problem (what to do).
func (d Diagnostic) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", d.File, d.Line, d.Column)
	if d.Severity == SeverityWarning {
		b.WriteString("warning: ")
	}
	if d.Path != "" {
		b.WriteString(d.Path + ": ")
	}
	b.WriteString(d.Problem)
	if d.Hint != "" {
		b.WriteString(" (" + d.Hint + ")")
	}
	return b.String()
}

// Excerpt shows the line with a caret below the problem; empty if there is no
// line to show.
func (d Diagnostic) Excerpt() string {
	if strings.TrimSpace(d.Text) == "" {
		return ""
	}
	number := fmt.Sprint(d.Line)
	return fmt.Sprintf("  %s | %s\n  %s | %s^\n", number, d.Text, strings.Repeat(" ", len(number)), strings.Repeat(" ", max(d.Caret-1, 0)))
}

// Error makes a diagnostic an error.
func (d Diagnostic) Error() string { return d.String() }

// Diagnostics is every problem found, and an error with a line for each.
type Diagnostics []Diagnostic

func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Report is what people read: a line for each problem, and below it the place in
// the file.
func (ds Diagnostics) Report() string {
	var b strings.Builder
	for _, d := range ds {
		b.WriteString(d.String() + "\n" + d.Excerpt())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Sort brings the diagnostics into the order of the file.
func (ds Diagnostics) Sort() {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Problem, b.Problem))
	})
}

// Errors returns those that keep Sluice from starting.
func (ds Diagnostics) Errors() Diagnostics { return ds.of(SeverityError) }

// Warnings returns those that do not.
func (ds Diagnostics) Warnings() Diagnostics { return ds.of(SeverityWarning) }

func (ds Diagnostics) of(s Severity) Diagnostics {
	var out Diagnostics
	for _, d := range ds {
		if d.Severity == s {
			out = append(out, d)
		}
	}
	return out
}

// Err returns the diagnostics as an error if one of them is an error, else nil.
func (ds Diagnostics) Err() error {
	if len(ds.Errors()) == 0 {
		return nil
	}
	return ds
}

// MarshalJSON writes an empty list as [], so that programs can count on a list.
func (ds Diagnostics) MarshalJSON() ([]byte, error) {
	if ds == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]Diagnostic(ds))
}

// quote shows a value in a message; long ones are cut.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
