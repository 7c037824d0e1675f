package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Mask stands where a secret is.
const Mask = "***"

// Redacted returns the configuration in effect, defaults filled in, for people
// to see: what came from ${…} and what belongs to a secret setting is [Mask]. It
// can be marshalled to JSON, keys in the order of the reference.
func (f *File) Redacted() any {
	p := printer{resolved: f.report.resolved}
	return p.value(reflect.ValueOf(*f.Config), nil, field{})
}

// RedactedYAML is Redacted as YAML. Behind each value stands where it comes from.
func (f *File) RedactedYAML() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(toYAML(f.Redacted(), nil, f.origin)); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// Effective is Redacted with the place that each value comes from, for programs.
func (f *File) Effective() any {
	config := f.Redacted()
	from := object{}
	var walk func(v any, path []any)
	walk = func(v any, path []any) {
		switch x := v.(type) {
		case object:
			for _, m := range x {
				walk(m.value, with(path, m.key))
			}
		case []any:
			for i, item := range x {
				walk(item, with(path, i))
			}
		default:
			from = append(from, member{render(path), f.origin(path)})
		}
	}
	walk(config, nil)
	return object{{"revision", f.Revision}, {"config", config}, {"from", from}}
}

// origin says where the value at path comes from: file:line, or default.
func (f *File) origin(path []any) string {
	if place, exact := f.Place(path...); exact {
		return place
	}
	return "default"
}

// object is a mapping that keeps its order.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal is json.Marshal without the escaping of <, > and &.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// printer turns configuration values into objects, lists and scalars.
type printer struct {
	resolved map[string]bool
	// blind masks every text of free-form settings: without the file it is not
	// known which of them came from ${…}.
	blind bool
}

func (p printer) value(v reflect.Value, path []any, f field) any {
	if p.resolved[identity(path)] {
		return Mask
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		return formatDuration(x)
	case SourceAuth:
		if x.None {
			return "none"
		}
		v = v.FieldByName("Entries")
	case map[string]any:
		return p.settings(x, path, "")
	}
	switch v.Kind() {
	case reflect.Struct:
		return p.structure(v, path)
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return p.structure(v.Elem(), path)
	case reflect.Map:
		var out object
		for _, key := range slices.Sorted(maps.Keys(mapKeys(v))) {
			out = append(out, member{key, p.value(v.MapIndex(reflect.ValueOf(key)), with(path, key), field{secret: f.secret})})
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = p.value(v.Index(i), with(path, i), field{secret: f.secret})
		}
		return out
	case reflect.String:
		if f.secret && v.String() != "" {
			return Mask
		}
		return v.String()
	case reflect.Float64:
		return json.Number(strconv.FormatFloat(v.Float(), 'f', -1, 64))
	default:
		if f.format == "bytes" {
			return formatSize(v.Int())
		}
		return v.Interface()
	}
}

func mapKeys(v reflect.Value) map[string]bool {
	out := make(map[string]bool, v.Len())
	for _, k := range v.MapKeys() {
		out[k.String()] = true
	}
	return out
}

// structure leaves out what is not set.
func (p printer) structure(v reflect.Value, path []any) object {
	out := object{}
	for _, f := range fieldsOf(v.Type()) {
		fv := v.FieldByIndex(f.index)
		at := with(path, f.key)
		if fv.IsZero() && f.def == "" && !f.required && !p.resolved[identity(at)] {
			continue
		}
		if k := fv.Kind(); (k == reflect.Map || k == reflect.Slice) && fv.Len() == 0 {
			continue
		}
		out = append(out, member{f.key, p.value(fv, at, f)})
	}
	return out
}

// secretKey and passwords in URLs catch secrets that stand in the file as they
// are: this package does not know what a plugin's settings mean.
var secretKey = regexp.MustCompile(`(?i)passw|secret|token|credential|api[_-]?key|private[_-]?key|access[_-]?key|dsn|authorization|cookie|passphrase|bearer`)

// wholeSecret are settings whose every text is taken for a secret: any header may
// be one, and plugins say so only when they are asked.
var wholeSecret = []string{"headers", "proxy"}

func secretSetting(key string) bool {
	return secretKey.MatchString(key) || slices.Contains(wholeSecret, strings.ToLower(key))
}

func (p printer) settings(v any, path []any, key string) any {
	switch x := v.(type) {
	case map[string]any:
		out := object{}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			under := k
			if secretSetting(key) {
				under = key
			}
			out = append(out, member{k, p.settings(x[k], with(path, k), under)})
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = p.settings(x[i], with(path, i), key)
		}
		return out
	}
	text, isText := v.(string)
	switch {
	case p.resolved[identity(path)]:
		return Mask
	case v != nil && secretSetting(key):
		return Mask
	case !isText:
		return v
	case p.blind:
		return Mask
	}
	if secret, _ := secretText(text); secret {
		return Mask
	}
	return text
}

func toYAML(v any, path []any, origin func(path []any) string) *yaml.Node {
	n := &yaml.Node{}
	switch x := v.(type) {
	case object:
		n.Kind = yaml.MappingNode
		for _, m := range x {
			k := &yaml.Node{}
			k.SetString(m.key)
			n.Content = append(n.Content, k, toYAML(m.value, with(path, m.key), origin))
		}
	case []any:
		n.Kind = yaml.SequenceNode
		for i, item := range x {
			n.Content = append(n.Content, toYAML(item, with(path, i), origin))
		}
	case string:
		n.SetString(x)
		if strings.ContainsAny(x, "*?{}[]:") {
			n.Style = yaml.DoubleQuotedStyle
		}
	case nil:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!null", "null"
	default:
		n.Kind, n.Value = yaml.ScalarNode, fmt.Sprint(x)
	}
	if n.Kind == yaml.ScalarNode {
		n.LineComment = origin(path)
	}
	return n
}
