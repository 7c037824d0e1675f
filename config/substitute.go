package config

import (
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Resolver looks up what references name. A nil function knows nothing.
type Resolver struct {
	Env  func(name string) (string, bool)  // ${NAME}
	File func(path string) (string, error) // ${file:path}; the error must not quote the content
	// Exec runs what ${exec:command} names. nil: nothing is run, and the
	// reference is an error. The error must not quote what the program printed.
	Exec func(command string) (string, error)
	// Lenient leaves values unknown whose references cannot be resolved, rather
	// than reporting them.
	Lenient bool
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// substituter replaces ${NAME}, ${NAME:-default}, ${file:path} and
// ${exec:command} in scalars.
// What comes in is text and stays text: it is never read as YAML.
type substituter struct {
	*report
	resolve Resolver
	lines   lineIndex
	spent   int // bytes that references have brought in
}

// maxExpansion bounds what references may bring in altogether: a small file that
// names a large one many times must not fill the memory.
const maxExpansion = 16 << 20

// lineIndex finds the byte offset of a line and column.
type lineIndex struct {
	text   string
	starts []int
	last   cursor // nodes are mostly visited in file order: go on from here
}

// newLineIndex numbers the lines of all files through, as texts does.
func newLineIndex(all texts) lineIndex {
	var x lineIndex
	var b strings.Builder
	for _, f := range all.files {
		start := b.Len()
		b.Write(f.data)
		x.starts = append(x.starts, start)
		for i := 0; i < len(f.data); {
			n := lineBreak(string(f.data[i:min(i+3, len(f.data))]))
			if n > 0 {
				x.starts = append(x.starts, start+i+n)
			}
			i += max(n, 1)
		}
		b.WriteByte('\n')
		x.starts = append(x.starts, b.Len()) // the line past the end
	}
	x.text = b.String()
	return x
}

// cursor at the beginning of a node.
func (x *lineIndex) cursor(n *yaml.Node) cursor {
	if n.Line < 1 || n.Line > len(x.starts) {
		return cursor{text: x.text, line: 1, column: 1}
	}
	c := x.last
	if c.line != n.Line || c.column > n.Column {
		c = cursor{text: x.text, offset: x.starts[n.Line-1], line: n.Line, column: 1}
	}
	for c.column < n.Column && c.offset < len(c.text) {
		c.moveTo(c.offset + 1)
	}
	x.last = c
	return c
}

// scalar returns the text of a scalar with its references replaced. isText says
// that the text must not be judged by its YAML tag, because it had references
// or escapes. ok is false when a reference could not be replaced: that is
// reported and the value unknown.
func (s *substituter) scalar(n *yaml.Node, path []any) (text string, isText, ok bool) {
	if !strings.Contains(n.Value, "${") {
		return n.Value, n.Tag == "!!str", true
	}
	var (
		b       strings.Builder
		rest    = n.Value
		at      = s.lines.cursor(n)
		inexact = false
	)
	ok = true
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			b.WriteString(rest)
			return b.String(), true, ok
		}
		// The source text has the same references in the same order, unless the
		// scalar spells a $ or { as an escape; then the scalar's place must do.
		inexact = inexact || !at.next("${")
		if i > 0 && rest[i-1] == '$' {
			b.WriteString(rest[:i-1] + "${")
			rest = rest[i+2:]
			at.moveTo(at.offset + 2)
			continue
		}
		b.WriteString(rest[:i])
		rest = rest[i:]
		end := strings.IndexByte(rest, '}')
		ref := rest
		if end >= 0 {
			ref = rest[:end+1]
		}
		line, column := at.line, at.column
		if inexact || !strings.HasPrefix(at.text[at.offset:], firstLine(ref)) {
			line, column, inexact = n.Line, n.Column, true
		}
		s.resolved[identity(path)] = true
		value, problem, hint := s.reference(ref)
		if s.spent += len(value); s.spent > maxExpansion {
			value, problem, hint = "", "references bring in more than "+formatSize(maxExpansion), "name large files fewer times"
		}
		if problem != "" {
			ok = false
			s.broken[identity(path)] = true
			if s.resolve.Lenient {
				problem = ""
			}
		}
		if problem != "" {
			rule := s.rule
			s.rule = RuleReference
			s.addAt(line, column, path, hint, problem)
			s.rule = rule
		}
		b.WriteString(value)
		if end < 0 {
			return b.String(), true, ok
		}
		rest = rest[end+1:]
		if !inexact && strings.HasPrefix(at.text[at.offset:], ref) {
			at.moveTo(at.offset + len(ref))
		} else {
			at.moveTo(at.offset + 2)
		}
	}
}

// firstLine cuts a reference at the first white space: the source may fold it there.
func firstLine(ref string) string {
	if i := strings.IndexAny(ref, " \t\n"); i >= 0 {
		return ref[:i]
	}
	return ref
}

// reference resolves one ${…}.
func (s *substituter) reference(ref string) (value, problem, hint string) {
	if !strings.HasSuffix(ref, "}") {
		return "", "${ is never closed", "close it with }, or write $${ for the characters ${"
	}
	inner := ref[2 : len(ref)-1]
	if path, isFile := strings.CutPrefix(inner, "file:"); isFile {
		return s.file(path)
	}
	if command, isExec := strings.CutPrefix(inner, "exec:"); isExec {
		return s.exec(command)
	}
	name, def, hasDefault := strings.Cut(inner, ":-")
	switch {
	case strings.Contains(inner, "${"):
		return "", "references cannot be nested", "write a plain default, or set the variable"
	case !variableName.MatchString(name):
		return "", "the reference " + quote(ref) + " names no variable",
			"write ${NAME}, ${NAME:-default}, ${file:path} or ${exec:command}; $${ stands for the characters ${"
	}
	if s.resolve.Env != nil {
		if v, set := s.resolve.Env(name); set && (v != "" || !hasDefault) {
			return v, "", ""
		}
	}
	if hasDefault {
		return def, "", ""
	}
	return "", "the environment variable " + name + " is not set", "set it, or give a default: ${" + name + ":-default}"
}

func (s *substituter) file(path string) (value, problem, hint string) {
	switch {
	case path == "":
		return "", "${file:} names no file", "write ${file:path}"
	case s.resolve.File == nil:
		return "", "files cannot be read here: " + quote(path), "write the value, or use an environment variable"
	}
	v, err := s.resolve.File(path)
	if err != nil {
		return "", "cannot read the file " + quote(path) + ": " + err.Error(), "relative paths start at the folder of the configuration file"
	}
	return withoutLineBreak(v), "", ""
}

func (s *substituter) exec(command string) (value, problem, hint string) {
	switch {
	case strings.TrimSpace(command) == "":
		return "", "${exec:} names no program", "write ${exec:program argument…}"
	case s.resolve.Exec == nil:
		return "", "programs are not run unless that is allowed: " + quote(command), "start with --allow-exec, if you trust whoever can change this file"
	}
	v, err := s.resolve.Exec(command)
	if err != nil {
		return "", "cannot run " + quote(command) + ": " + err.Error(), "run it by hand; its output is not shown here because it may be a secret"
	}
	return withoutLineBreak(v), "", ""
}

func withoutLineBreak(v string) string {
	return strings.TrimSuffix(strings.TrimSuffix(v, "\n"), "\r")
}
