package config

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// with returns the path one step deeper. It never shares memory with its
// parent: paths outlive the walk that made them.
func with(path []any, steps ...any) []any {
	out := make([]any, 0, len(path)+len(steps))
	return append(append(out, path...), steps...)
}

// render writes a path as users know it: routes[0].to[1].
func render(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		case string:
			switch {
			case !isPlainKey(s):
				fmt.Fprintf(&b, "[%s]", quote(s))
			case b.Len() > 0:
				b.WriteString("." + s)
			default:
				b.WriteString(s)
			}
		default:
			fmt.Fprintf(&b, "[%v]", s)
		}
	}
	return b.String()
}

// identity is a path as a map key: unlike render it never cuts anything.
func identity(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch s := step.(type) {
		case int:
			b.WriteString("\x00i" + strconv.Itoa(s))
		default:
			fmt.Fprintf(&b, "\x00s%v", s)
		}
	}
	return b.String()
}

func isPlainKey(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// locate returns the node at path, or its nearest ancestor that exists: a
// missing setting is reported where it should have been written. key is the
// node of the last mapping key on the way, if the whole path exists.
func locate(n *yaml.Node, path []any) (value, key *yaml.Node, exact bool) {
	for _, step := range path {
		k, next := child(n, step)
		if next == nil {
			return n, nil, false
		}
		n, key = next, k
	}
	return n, key, true
}

// child returns the element of a mapping or sequence. Of a duplicate key, the
// first counts.
func child(n *yaml.Node, step any) (key, value *yaml.Node) {
	switch s := step.(type) {
	case string:
		if n.Kind != yaml.MappingNode {
			return nil, nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Value == s {
				return k, n.Content[i+1]
			}
		}
	case int:
		if n.Kind == yaml.SequenceNode && s >= 0 && s < len(n.Content) {
			return nil, n.Content[s]
		}
	}
	return nil, nil
}
