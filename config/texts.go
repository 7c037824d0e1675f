package config

import (
	"fmt"
	"sort"

	"gopkg.in/yaml.v3"
)

// text is one file of a configuration, as it was read.
type text struct {
	name  string
	data  []byte
	first int // lines of all files before it
	lines []string
	// understood says that the file could be read as YAML, so that it is known
	// which of its values are secret.
	understood bool
}

// texts are the files of a configuration. Their lines are numbered through, so
// that a node of the merged tree knows its file by its line alone; only what
// people see is counted from the beginning of each file.
type texts struct {
	files []text
	next  int // lines of all files so far
}

// add takes a file in.
func (t *texts) add(name string, data []byte) *text {
	lines := splitLines(string(data))
	t.files = append(t.files, text{name: name, data: data, first: t.next, lines: lines})
	t.next += len(lines) + 1 // a problem may be reported one past the end
	return &t.files[len(t.files)-1]
}

// find returns the file of a line and the line's number in it.
func (t *texts) find(line int) (*text, int) {
	i := sort.Search(len(t.files), func(i int) bool { return t.files[i].first > line-1 }) - 1
	if i < 0 {
		return &text{}, max(line, 1)
	}
	f := &t.files[i]
	return f, max(line-f.first, 1)
}

// line returns the text of a line.
func (t *texts) line(line int) string {
	f, n := t.find(line)
	if n < 1 || n > len(f.lines) {
		return ""
	}
	return f.lines[n-1]
}

// place names a line for people, as seen from another: the file is named only
// where it is another one.
func (t *texts) place(line, from int) string {
	f, n := t.find(line)
	if g, _ := t.find(from); f != g {
		return fmt.Sprintf("%s:%d", f.name, n)
	}
	return fmt.Sprintf("line %d", n)
}

// shift numbers a tree's lines through.
func shift(n *yaml.Node, by int) {
	n.Line += by
	for _, c := range n.Content {
		shift(c, by)
	}
}
