package config

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// report collects the problems of one file. Checks add to it and carry on: the
// user sees every problem in one run.
type report struct {
	file string
	root *yaml.Node
	list Diagnostics
	// broken holds the paths whose value could not be understood. Later checks
	// leave them alone, so that one mistake is one message.
	broken map[string]bool
	// resolved holds the paths of values that came from ${…}: never quoted and
	// never printed.
	resolved map[string]bool
}

func newReport(file string) *report {
	return &report{
		file:     file,
		root:     &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1},
		broken:   make(map[string]bool),
		resolved: make(map[string]bool),
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
	r.list = append(r.list, Diagnostic{
		File: r.file, Line: max(line, 1), Column: max(column, 1),
		Path: render(path), Problem: problem, Hint: hint,
	})
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
