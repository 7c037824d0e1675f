package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const (
	maxBytes = 1 << 20
	maxDepth = 64
)

// document reads the one YAML document of a file. It reports what keeps the
// rest from being read and returns nil then.
func (r *report) document(f *text) *yaml.Node {
	data := f.data
	if len(data) > maxBytes {
		r.addAt(f.first+1, 1, nil, "split it, or move large values to files: ${file:path}",
			fmt.Sprintf("the file has %d bytes; at most %s are read", len(data), formatSize(maxBytes)))
		return nil
	}
	if !r.checkCharacters(f) {
		return nil
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.addEmpty(f)
		return nil
	case err != nil:
		r.syntax(f, err)
		return nil
	}
	root := doc.Content[0]
	shift(root, f.first)
	if !r.checkNodes(root) {
		return nil
	}
	var second yaml.Node
	if err := d.Decode(&second); err == nil {
		r.addAt(f.first+second.Line, second.Column, nil, "keep one document; --- may only stand at the top", "a second YAML document begins here")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(f, err)
	}
	if root.Kind != yaml.MappingNode {
		if root.Tag == "!!null" {
			r.addEmpty(f)
		} else {
			r.addNode(root, nil, "start with: sources:", "the file must be a mapping of settings, not %s", describe(root))
		}
		return nil
	}
	return root
}

// addEmpty reports a file that says nothing. Of several, one may.
func (r *report) addEmpty(f *text) {
	if len(r.texts.files) == 1 && !r.several {
		r.addAt(f.first+1, 1, nil, "start with: sources:", "the file is empty")
	}
}

// checkCharacters refuses what YAML cannot hold, with the exact place, which the
// YAML parser does not give.
func (r *report) checkCharacters(f *text) bool {
	at := cursor{text: string(f.data), line: f.first + 1, column: 1}
	for i, c := range at.text {
		switch {
		case c == utf8.RuneError && isInvalid(at.text[i:]):
			at.moveTo(i)
			r.addAt(at.line, at.column, nil, "save the file as UTF-8", "the file is not UTF-8 text")
			return false
		case c < 0x20 && c != '\t' && c != '\n' && c != '\r', c == 0x7f, c == 0xfeff, c >= 0x80 && c < 0xa0 && c != 0x85, c == 0xfffe, c == 0xffff:
			at.moveTo(i)
			r.addAt(at.line, at.column, nil, "remove it, or write it as an escape in a double-quoted value", fmt.Sprintf("the character U+%04X is not allowed", c))
			return false
		}
	}
	return true
}

func isInvalid(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size == 1
}

// checkNodes refuses the parts of YAML that configuration files are better off
// without: anchors and aliases (a small file could grow without end), tags, merge
// keys, and nesting without bound.
func (r *report) checkNodes(root *yaml.Node) bool {
	before := len(r.list)
	var walk func(n *yaml.Node, path []any)
	walk = func(n *yaml.Node, path []any) {
		switch {
		case len(path) > maxDepth:
			r.addNode(n, path[:1], "nest less", "is nested more than %d levels deep", maxDepth)
			return
		case n.Kind == yaml.AliasNode:
			r.addNode(n, path, "write the value out", "aliases (*%s) are not supported", n.Value)
			return
		case n.Anchor != "":
			r.addNode(n, path, "write the value out where it is needed", "anchors (&%s) are not supported", n.Anchor)
		case n.Style&yaml.TaggedStyle != 0:
			r.addNode(n, path, "remove it; quote the value if it is text", "YAML tags (%s) are not supported", n.Tag)
		}
		for i := 0; n.Kind == yaml.SequenceNode && i < len(n.Content); i++ {
			walk(n.Content[i], with(path, i))
		}
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind == yaml.ScalarNode && k.Tag == "!!merge" {
				r.addNode(k, path, "write the settings out", "merge keys (<<) are not supported")
				continue
			}
			if k.Kind != yaml.ScalarNode {
				walk(k, path)
				if k.Kind != yaml.AliasNode {
					r.addNode(k, path, "", "a key must be text, not %s", describe(k))
				}
				continue
			}
			walk(k, with(path, k.Value))
			walk(n.Content[i+1], with(path, k.Value))
		}
	}
	walk(root, nil)
	return len(r.list) == before
}

// describe says what a node is, in words for users.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!timestamp":
		return "a date"
	default:
		return "text"
	}
}

var (
	syntaxLine    = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntaxHints explain the YAML parser's messages by their most likely cause.
var syntaxHints = []struct{ problem, hint string }{
	{"mapping values are not allowed", "quote values that hold \": \", and check the indentation"},
	{"found character that cannot start any token", "indent with spaces, not tabs; quote values that begin with % @ or `"},
	{"found a tab character", "indent with spaces, not tabs"},
	{"did not find expected key", "check the indentation: keys of one mapping stand in one column"},
	{"did not find expected '-' indicator", "check the indentation: the items of a list all begin with -"},
	{"could not find expected ':'", "write key: value, with a space after the colon"},
	{"found unexpected end of stream", "close the quote"},
	{"did not find expected ',' or", "separate with commas, and close the bracket"},
	{"block sequence entries are not allowed", "begin the list on a line of its own"},
}

// syntax reports what the YAML parser says. It knows the line at best.
func (r *report) syntax(f *text, err error) {
	text := err.Error()
	m := syntaxLine.FindStringSubmatch(text)
	problem := text
	line := 1
	if m != nil {
		problem = text[len(m[0]):]
		if m[1] != "" {
			line, _ = strconv.Atoi(m[1])
			if strings.HasPrefix(problem, "did not find expected") {
				line++ // the parser counts from 0 here, the scanner from 1
			}
		}
	}
	if a := unknownAnchor.FindStringSubmatch(problem); a != nil {
		at := cursor{text: string(f.data), line: f.first + 1, column: 1}
		if i := strings.Index(at.text, "*"+a[1]); i >= 0 {
			at.moveTo(i)
		}
		r.addAt(at.line, at.column, nil, "write the value out, or quote a value that begins with *", fmt.Sprintf("aliases (*%s) are not supported", a[1]))
		return
	}
	line = min(line, len(f.lines))
	for line > 1 && strings.TrimSpace(f.lines[line-1]) == "" {
		line--
	}
	content := f.lines[line-1]
	column := 1 + utf8.RuneCountInString(content) - utf8.RuneCountInString(strings.TrimLeft(content, " \t"))
	hint := ""
	for _, h := range syntaxHints {
		if strings.HasPrefix(problem, h.problem) {
			hint = h.hint
			break
		}
	}
	if strings.Contains(content, "${") && strings.ContainsAny(content, "[{") && strings.HasPrefix(problem, "did not find expected ',' or") {
		hint = `inside { } and [ ], quote references: "${NAME}"`
	}
	r.addAt(f.first+line, column, nil, hint, "YAML: "+problem)
}
