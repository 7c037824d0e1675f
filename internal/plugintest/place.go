package plugintest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
)

const (
	placeholderPlace = "{place}"
	placeholderDir   = "{dir}"
)

// uses reports whether a setting holds the placeholder.
func (f *File) uses(placeholder string) bool {
	found := false
	_, _ = walk(f.Config, func(text string) (string, error) {
		found = found || strings.Contains(text, placeholder)
		return text, nil
	})
	return found
}

// place is where one case writes.
type place map[string]string

// newPlace makes one. Its word is good for a table, a path and a topic.
func newPlace(dir string) place {
	return place{placeholderPlace: "c" + strings.ToLower(rand.Text()[:12]), placeholderDir: dir}
}

// with returns the place with one more placeholder.
func (p place) with(placeholder, value string) place {
	p = maps.Clone(p)
	p[placeholder] = value
	return p
}

var variable = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

// fill puts in what the placeholders stand for.
func (p place) fill(text string) (string, error) {
	var missing error
	text = variable.ReplaceAllStringFunc(text, func(v string) string {
		name := v[2 : len(v)-1]
		value, ok := os.LookupEnv(name)
		if !ok {
			missing = fmt.Errorf("the environment variable %s is not set", name)
		}
		return value
	})
	for placeholder, value := range p {
		text = strings.ReplaceAll(text, placeholder, value)
	}
	return text, missing
}

func (p place) fillAll(texts []string) ([]string, error) {
	out := make([]string, len(texts))
	var problems error
	for i, text := range texts {
		var err error
		out[i], err = p.fill(text)
		problems = errors.Join(problems, err)
	}
	return out, problems
}

// settings are f.Config for a place, with some of them replaced.
func (f *File) settings(p place, instead map[string]any) (json.RawMessage, error) {
	all := maps.Clone(f.Config)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, instead)
	filled, err := walk(all, p.fill)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	raw, err := json.Marshal(filled)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return raw, nil
}

// walk returns v with every text replaced.
func walk(v any, replace func(string) (string, error)) (any, error) {
	var problems error
	inner := func(v any) any {
		out, err := walk(v, replace)
		problems = errors.Join(problems, err)
		return out
	}
	switch v := v.(type) {
	case string:
		return replace(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = inner(v[i])
		}
		return list, problems
	case map[string]any:
		members := map[string]any{}
		for name, value := range v {
			members[name] = inner(value)
		}
		return members, problems
	default:
		return v, nil
	}
}
