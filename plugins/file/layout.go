package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// placeholders are the names that a layout may hold, and what each stands for.
var placeholders = map[string]func(object string, r *destination.Record) string{
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

// layout turns a record into the path of its file, relative to the directory.
type layout struct {
	folders [][]piece // the last one is the file's name
}

// piece is literal text or, when value is set, a placeholder.
type piece struct {
	text  string
	value func(object string, r *destination.Record) string
}

// parseLayout reads a template such as "{source}/{object}.jsonl".
func parseLayout(template string) (layout, error) {
	var l layout
	for folder := range strings.SplitSeq(template, "/") {
		if folder == "" || strings.HasPrefix(folder, ".") {
			return layout{}, fmt.Errorf("layout %q: no part of the path may be empty or begin with a dot", template)
		}
		var pieces []piece
		for rest := folder; rest != ""; {
			literal, after, found := strings.Cut(rest, "{")
			if strings.ContainsAny(literal, "}\\:*?\"<>|\x00") {
				return layout{}, fmt.Errorf("layout %q: %q has a character that file names should not have", template, literal)
			}
			if literal != "" {
				pieces = append(pieces, piece{text: literal})
			}
			if !found {
				break
			}
			name, end, closed := strings.Cut(after, "}")
			value := placeholders[name]
			if !closed || value == nil {
				return layout{}, fmt.Errorf("layout %q: unknown placeholder at %q (use %s)", template, "{"+after, placeholderNames())
			}
			pieces = append(pieces, piece{text: name, value: value})
			rest = end
		}
		l.folders = append(l.folders, pieces)
	}
	return l, nil
}

func placeholderNames() string {
	var names []string
	for name := range placeholders {
		names = append(names, "{"+name+"}")
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// uses reports whether the layout holds one of the placeholders.
func (l layout) uses(names ...string) bool {
	for _, pieces := range l.folders {
		for _, p := range pieces {
			if p.value != nil && slices.Contains(names, p.text) {
				return true
			}
		}
	}
	return false
}

// path returns the file of a record, with slashes. Values cannot add folders or
// leave the directory.
func (l layout) path(object string, r *destination.Record) string {
	parts := make([]string, len(l.folders))
	for i, pieces := range l.folders {
		var b strings.Builder
		for _, p := range pieces {
			if p.value == nil {
				b.WriteString(p.text)
				continue
			}
			b.WriteString(sanitise(p.value(object, r)))
		}
		parts[i] = shorten(b.String())
	}
	return strings.Join(parts, "/")
}

// sanitise makes a value fit for a part of a file name. Whatever is not plain
// becomes %XX, so that two values never end in one name; an empty value becomes
// "%", which no other value does.
func sanitise(value string) string {
	if value == "" {
		return "%"
	}
	var b strings.Builder
	for i := range len(value) {
		switch c := value[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// maxName leaves room for the suffixes of temporary and side files within the
// 255 bytes that file systems allow.
const maxName = 200

func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:maxName-33] + "~" + hex.EncodeToString(sum[:16])
}
