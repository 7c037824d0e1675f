package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
)

// body is JSON of the operator's whose texts are templates, to be filled in with
// a message. Since only texts are filled in, no value can break out of its place.
type body struct {
	members map[string]any // a leaf is a *template.Template, or a value to be sent as it is
}

// functions are what templates have beside those of text/template.
var functions = template.FuncMap{
	// A value could otherwise call everybody in a channel, or hide a link.
	"slack": func(v any) string {
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text(v))
	},
	"default": func(instead, v any) any {
		if text(v) == "" {
			return instead
		}
		return v
	},
	"json": func(v any) (string, error) {
		out, err := json.Marshal(v)
		return string(out), err
	},
}

// absent is what text/template writes for a field that is not there.
const absent = "<no value>"

func text(v any) string {
	if v == nil {
		return ""
	}
	return strings.ReplaceAll(fmt.Sprint(v), absent, "")
}

// parseBody reads the setting; nil is none.
func parseBody(raw map[string]json.RawMessage) (*body, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	b := &body{members: map[string]any{}}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		var v any
		d := json.NewDecoder(bytes.NewReader(raw[name]))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return nil, fmt.Errorf("setting body.%s: %w", name, err)
		}
		leaf, err := compile("body."+name, v)
		if err != nil {
			return nil, err
		}
		b.members[name] = leaf
	}
	return b, nil
}

func compile(path string, v any) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		t, err := template.New(path).Funcs(functions).Parse(v)
		if err != nil {
			return nil, fmt.Errorf("setting %s: %w", path, err)
		}
		return t, nil
	case map[string]any:
		for name := range v {
			if v[name], err = compile(path+"."+name, v[name]); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range v {
			if v[i], err = compile(fmt.Sprintf("%s[%d]", path, i), v[i]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// render fills the templates in with a message, which is JSON.
func (b *body) render(message []byte) ([]byte, error) {
	var data map[string]any
	d := json.NewDecoder(bytes.NewReader(message))
	d.UseNumber() // numbers keep their text
	if err := d.Decode(&data); err != nil {
		return nil, err
	}
	withoutNull(data)
	filled, err := fill(b.members, data)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(filled); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func fill(v any, data map[string]any) (any, error) {
	switch v := v.(type) {
	case *template.Template:
		var out strings.Builder
		if err := v.Execute(&out, data); err != nil {
			return nil, err
		}
		return strings.ReplaceAll(out.String(), absent, ""), nil
	case map[string]any:
		filled := make(map[string]any, len(v))
		for name, member := range v {
			var err error
			if filled[name], err = fill(member, data); err != nil {
				return nil, err
			}
		}
		return filled, nil
	case []any:
		filled := make([]any, len(v))
		for i, member := range v {
			var err error
			if filled[i], err = fill(member, data); err != nil {
				return nil, err
			}
		}
		return filled, nil
	default:
		return v, nil
	}
}

// withoutNull makes null and absent the same, so that both are written as nothing.
func withoutNull(object map[string]any) {
	maps.DeleteFunc(object, func(_ string, v any) bool { return v == nil })
	for _, v := range object {
		if inner, ok := v.(map[string]any); ok {
			withoutNull(inner)
		}
	}
}
