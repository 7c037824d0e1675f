package config

import (
	"fmt"
	"sync"

	"gopkg.in/yaml.v3"
)

// report collects the problems of a configuration. Checks add to it and carry
// on: the user sees every problem in one run.
type report struct {
	texts   texts
	several bool // the configuration is a directory
	root    *yaml.Node
	list    Diagnostics
	// rule is what is being checked now; it goes into the diagnostics.
	rule string
	// broken holds the paths whose value could not be understood. Later checks
	// leave them alone, so that one mistake is one message.
	broken map[string]bool
	// resolved holds the paths of values that came from ${…}: never quoted and
	// never printed.
	resolved map[string]bool
	masking  sync.Mutex
	spans    map[int][]span // secrets, by line
}

func newReport() *report {
	return &report{
		root:     &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1},
		broken:   make(map[string]bool),
		resolved: make(map[string]bool),
		spans:    make(map[int][]span),
	}
}

// add records a problem at path, whose elements are mapping keys (string) and
// sequence indexes (int).
func (r *report) add(path []any, hint, format string, args ...any) {
	n, _, _ := locate(r.root, path)
	r.addNode(n, path, hint, format, args...)
}

// addKey records a problem of the key itself rather than of its value.
func (r *report) addKey(path []any, hint, format string, args ...any) {
	n, key, _ := locate(r.root, path)
	if key != nil {
		n = key
	}
	r.addNode(n, path, hint, format, args...)
}

func (r *report) warn(path []any, hint, format string, args ...any) {
	r.add(path, hint, format, args...)
	r.list[len(r.list)-1].Severity = SeverityWarning
}

func (r *report) addNode(n *yaml.Node, path []any, hint, format string, args ...any) {
	r.addAt(n.Line, n.Column, path, hint, fmt.Sprintf(format, args...))
}

func (r *report) addAt(line, column int, path []any, hint, problem string) {
	r.list = append(r.list, r.diagnostic(line, column, path, hint, problem))
}

func (r *report) diagnostic(line, column int, path []any, hint, problem string) Diagnostic {
	f, n := r.texts.find(line)
	return Diagnostic{
		File: f.name, Line: n, Column: max(column, 1), Rule: r.rule,
		Path: render(path), Problem: problem, Hint: hint, line: line,
	}
}

// finish puts the problems in order and shows the line of each. Only now is it
// known what must not be shown.
func (r *report) finish() {
	r.list.Sort()
	for i := range r.list {
		d := &r.list[i]
		d.Text, d.Caret = r.shown(d.line, d.Column)
	}
}

// fail records a problem that leaves the value at path unknown.
func (r *report) fail(n *yaml.Node, path []any, hint, format string, args ...any) {
	r.broken[identity(path)] = true
	r.addNode(n, path, hint, format, args...)
}

// ok reports whether the value at path and everything above it was understood.
func (r *report) ok(path ...any) bool {
	for i := range len(path) + 1 {
		if r.broken[identity(path[:i])] {
			return false
		}
	}
	return true
}

// has reports whether the file has something at path.
func (r *report) has(path ...any) bool {
	_, _, exact := locate(r.root, path)
	return exact
}

// quoted shows a value; of one that came from ${…}, which may be a secret, it
// shows the reference instead.
func (r *report) quoted(path []any, value string) string {
	if r.resolved[identity(path)] {
		n, _, _ := locate(r.root, path)
		return quote(n.Value)
	}
	return quote(value)
}
