package config

import (
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// This file keeps secrets out of the lines that diagnostics show. Where a file
// could be read, it is known which values are secret; where it could not, every
// value is hidden whose key sounds like one.

// span is a part of a line, in characters from 0; end is exclusive.
type span struct{ start, end int }

const toEnd = 1 << 30

// longLine is the length from which a line is not shown.
const longLine = 4 << 10

// reference recognises ${…} that is not escaped.
var referenceText = regexp.MustCompile(`(?:^|[^$])\$\{`)

// isLiteral reports whether a value stands in the file itself.
func isLiteral(value string) bool { return value != "" && !referenceText.MatchString(value) }

// secretText reports whether a text may hold a secret whatever its key is (a URL
// with credentials or a query, the key=value form of a connection string), and
// whether it surely does.
func secretText(value string) (secret, sure bool) {
	if passwordWord.MatchString(value) {
		return true, true
	}
	if !strings.Contains(value, "://") {
		return false, false
	}
	u, err := url.Parse(value)
	if err != nil {
		return true, false
	}
	_, sure = u.User.Password()
	return u.User != nil || u.RawQuery != "", sure
}

var passwordWord = regexp.MustCompile(`(?i)\bpass(word|wd)?\s*=`)

// secretFinder calls found for every scalar that is a secret. sure is false for
// what only may be one.
type secretFinder struct {
	found func(n *yaml.Node, path []any, sure bool)
}

// walk goes down a tree along the types of the configuration; t is nil where it
// is not known what a value means.
func (s secretFinder) walk(n *yaml.Node, t reflect.Type, path []any, secret, sure bool) {
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch n.Kind {
	case yaml.ScalarNode:
		inText, surely := secretText(n.Value)
		if secret || inText {
			s.found(n, path, secret && sure || surely)
		}
	case yaml.SequenceNode:
		var elem reflect.Type
		switch {
		case t == authType:
			elem = reflect.TypeFor[AuthEntry]()
		case t != nil && t.Kind() == reflect.Slice:
			elem = t.Elem()
		}
		for i, item := range n.Content {
			s.walk(item, elem, with(path, i), secret, sure)
		}
	case yaml.MappingNode:
		var fields []field
		if t != nil && t.Kind() == reflect.Struct && t != authType {
			fields = fieldsOf(t)
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, at := n.Content[i].Value, with(path, n.Content[i].Value)
			j := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
			named := secretKey.MatchString(key)
			if meant, ok := Nearest(key, keysOf(fields)); j < 0 && ok {
				named = named || fields[slices.IndexFunc(fields, func(f field) bool { return f.key == meant })].secret
			}
			switch {
			case j >= 0:
				f := fields[j]
				// Of the variables of a process only some are secrets, but none is shown.
				s.walk(n.Content[i+1], f.typ, at, secret || f.secret, sure || f.secret && f.typ.Kind() != reflect.Map)
			case t != nil && t.Kind() == reflect.Map && t != settingsType:
				s.walk(n.Content[i+1], t.Elem(), at, secret, sure || secret && named)
			default:
				s.walk(n.Content[i+1], nil, at, secret || named, sure || named)
			}
		}
	}
}

// hide notes that a scalar is not to be shown.
func (r *report) hide(n *yaml.Node) {
	if n.Value == "" || !isLiteral(n.Value) && !strings.Contains(n.Value, ":-") {
		return // a reference says where the secret is, not what it is
	}
	r.masking.Lock()
	defer r.masking.Unlock()
	if len(r.texts.line(n.Line)) > longLine {
		r.spans[n.Line] = []span{{0, toEnd}} // nobody reads it anyway
		return
	}
	start := n.Column - 1
	first := []rune(r.texts.line(n.Line))
	if start > len(first) {
		start = len(first)
	}
	end := toEnd
	switch text := string(first[start:]); {
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		if length := closingQuote(text); length > 0 {
			end = start + length
		}
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && strings.HasPrefix(text, n.Value):
		end = start + utf8.RuneCountInString(n.Value)
	}
	r.spans[n.Line] = append(r.spans[n.Line], span{start, end})
	if end != toEnd {
		return
	}
	// The value goes on below: hide what is indented deeper than its own line.
	own := indentOf(string(first))
	f, at := r.texts.find(n.Line)
	for i := at; i < len(f.lines); i++ {
		if strings.TrimSpace(f.lines[i]) != "" && indentOf(f.lines[i]) <= own && !strings.ContainsAny(f.lines[i][:1], `"'`) {
			break
		}
		r.spans[f.first+i+1] = append(r.spans[f.first+i+1], span{min(own, len(f.lines[i])), toEnd})
	}
}

// closingQuote is the length in characters of the quoted text that s begins
// with, 0 if the quote is not closed there.
func closingQuote(s string) int {
	runes := []rune(s)
	for i := 1; i < len(runes); i++ {
		switch {
		case runes[0] == '"' && runes[i] == '\\':
			i++
		case runes[i] == runes[0] && runes[0] == '\'' && i+1 < len(runes) && runes[i+1] == '\'':
			i++
		case runes[i] == runes[0]:
			return i + 1
		}
	}
	return 0
}

func indentOf(line string) int {
	return len(line) - len(strings.TrimLeft(line, " -"))
}

// shown returns a line without its secrets, cut to what fits on a screen, and
// the column in it that stands for the given one.
func (r *report) shown(line, column int) (string, int) {
	f, n := r.texts.find(line)
	content := r.texts.line(line)
	if len(content) > longLine {
		return "", 0
	}
	raw := []rune(content)
	if !f.understood {
		start := secretPart(f.lines, n)
		if start < len(raw) {
			return cutLine(append(raw[:start:start], []rune(Mask)...), min(column, start+1))
		}
		return cutLine(raw, column)
	}
	r.masking.Lock()
	spans := slices.Clone(r.spans[line])
	r.masking.Unlock()
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	var out []rune
	caret, from := column, 0
	for _, s := range spans {
		if s.start < from || s.start > len(raw) {
			continue
		}
		end := min(s.end, len(raw))
		out = append(append(out, raw[from:s.start]...), []rune(Mask)...)
		switch {
		case column > end:
			caret += len(Mask) - (end - s.start)
		case column > s.start:
			caret = len(out) - len(Mask) + 1
		}
		from = end
	}
	return cutLine(append(out, raw[min(from, len(raw)):]...), caret)
}

// lineKey finds the key that a line of YAML gives a value to.
var lineKey = regexp.MustCompile(`["']?([A-Za-z0-9_-]+)["']?\s*[:=]`)

// secretPart returns where in a line of a file that could not be read values
// begin that may be secret, and a number past its end if there are none.
func secretPart(lines []string, n int) int {
	if n < 1 || n > len(lines) {
		return 0
	}
	line := lines[n-1]
	for own, i := indentOf(line), n-2; i >= 0; i-- { // the keys above that this line belongs to
		if depth := indentOf(lines[i]); strings.TrimSpace(lines[i]) != "" && depth < own {
			own = depth
			if m := lineKey.FindAllStringSubmatch(lines[i], -1); m != nil && soundsSecret(m[len(m)-1][1]) {
				return utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeft(line, " -"))
			}
		}
	}
	for _, m := range lineKey.FindAllStringSubmatchIndex(line, -1) {
		if soundsSecret(line[m[2]:m[3]]) {
			return utf8.RuneCountInString(line[:m[1]]) + 1
		}
	}
	return toEnd
}

// soundsSecret also takes the names under which Sluice's own settings and most
// plugins keep what must not be shown.
func soundsSecret(key string) bool {
	return secretKey.MatchString(key) || slices.Contains([]string{"value", "env", "url", "headers", "proxy"}, strings.ToLower(key))
}

const widestLine = 140

// cutLine keeps the part of a line around a column, without what steers a
// terminal.
func cutLine(line []rune, column int) (string, int) {
	for i, c := range line {
		if !unicode.IsPrint(c) {
			line[i] = ' '
		}
	}
	column = max(column, 1)
	if len(line) > widestLine {
		from := min(max(0, column-widestLine/2), len(line)-widestLine)
		end := min(len(line), from+widestLine)
		text := string(line[from:end])
		if end < len(line) {
			text += "…"
		}
		column -= from
		if from > 0 {
			text, column = "…"+text, column+1
		}
		return text, column
	}
	return strings.TrimRight(string(line), " "), column
}

// hideWriteOnly hides the settings that a plugin's schema marks as secret.
func (r *report) hideWriteOnly(n *yaml.Node, schema any) {
	object, _ := schema.(map[string]any)
	if object["writeOnly"] == true {
		finder := secretFinder{found: func(n *yaml.Node, _ []any, _ bool) { r.hide(n) }}
		finder.walk(n, nil, nil, true, false)
		return
	}
	properties, _ := object["properties"].(map[string]any)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		r.hideWriteOnly(n.Content[i+1], properties[n.Content[i].Value])
	}
}

// checkSecrets warns of secrets that stand in the files, and hides them.
func (r *report) checkSecrets() {
	r.rule = RuleSecret
	finder := secretFinder{found: func(n *yaml.Node, path []any, sure bool) {
		r.hide(n)
		if sure && isLiteral(n.Value) && r.ok(path...) {
			r.warn(path, "keep it outside: ${NAME} or ${file:path}", "a secret stands in the file itself")
		}
	}}
	finder.walk(r.root, reflect.TypeFor[Config](), nil, false, false)
}
