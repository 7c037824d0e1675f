package rehearsal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/sluicehq/sluice/config"
)

// Problems lists what an update of a file writes down as expected although it
// may not be meant: deliveries that a mapping gave nothing for, or that wait.
func Problems(results []Result) []string {
	var out []string
	for _, r := range results {
		for _, d := range r.got {
			if d.Problem != "" {
				out = append(out, fmt.Sprintf("%s: %s gets nothing: %s", r.Test, d.Destination, d.Problem))
			}
		}
	}
	return out
}

// Update writes into the file of a suite what its tests got. Comments stay;
// results must be those of all its tests.
func Update(s *Suite, results []Result) (changed bool, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(s.data, &doc); err != nil {
		return false, fmt.Errorf("%s: %w", s.Name, err)
	}
	tests := value(doc.Content[0], "tests")
	if tests == nil || len(tests.Content) != len(results) {
		return false, fmt.Errorf("%s: the file has changed meanwhile", s.Name)
	}
	for i, r := range results {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, d := range r.got {
			n, err := node(d)
			if err != nil {
				return false, fmt.Errorf("%s: %s: %w", s.Name, r.Test, err)
			}
			list.Content = append(list.Content, n)
		}
		if len(r.got) == 0 {
			list.Style = yaml.FlowStyle
		}
		set(tests.Content[i], "deliveries", list)
		if r.unrouted > 0 || value(tests.Content[i], "unrouted") != nil {
			set(tests.Content[i], "unrouted", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(r.unrouted)})
		}
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return false, fmt.Errorf("%s: %w", s.Name, err)
	}
	if bytes.Equal(b.Bytes(), s.data) {
		return false, nil
	}
	return true, os.WriteFile(s.Name, b.Bytes(), 0o644)
}

func value(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func set(n *yaml.Node, key string, v *yaml.Node) {
	if old := value(n, key); old != nil {
		*old = *v
		return
	}
	n.Content = append(n.Content, text(key), v)
}

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func node(d Delivery) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.MappingNode}
	put := func(key string, v *yaml.Node) { out.Content = append(out.Content, text(key), v) }
	put("destination", text(d.Destination))
	put("route", text(d.Route))
	if d.Problem != "" {
		put("problem", text(d.Problem))
		return out, nil
	}
	put("object", text(d.Object))
	put("operation", text(d.Operation))
	key := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, name := range d.part.KeyFields {
		v := text(d.Key[name])
		v.Style = yaml.DoubleQuotedStyle // a key is text, also where it looks like a number
		key.Content = append(key.Content, text(name), v)
	}
	put("key", key)
	put("version", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(d.Version)})
	fields := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		v, err := ofJSON(d.Fields[name])
		if err != nil {
			return nil, fmt.Errorf("fields.%s: %w", name, err)
		}
		fields.Content = append(fields.Content, text(name), v)
	}
	put("fields", fields)
	return out, nil
}

// ofJSON writes JSON as YAML. Numbers keep their text.
func ofJSON(raw json.RawMessage) (*yaml.Node, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return of(v)
}

func of(v any) (*yaml.Node, error) {
	switch x := v.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(x)}, nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: x.String()}, nil
	case string:
		n := text(x)
		if n.Style == 0 && !isPlain(x) {
			n.Style = yaml.DoubleQuotedStyle
		}
		return n, nil
	case []any:
		out := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range x {
			n, err := of(item)
			if err != nil {
				return nil, err
			}
			out.Content = append(out.Content, n)
		}
		return out, nil
	case map[string]any:
		out := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		for _, name := range slices.Sorted(maps.Keys(x)) {
			n, err := of(x[name])
			if err != nil {
				return nil, err
			}
			out.Content = append(out.Content, text(name), n)
		}
		return out, nil
	}
	return nil, fmt.Errorf("unexpected %T", v)
}

// isPlain reports whether the configuration's reader takes a text as such: what
// has ${ would be a reference, and dates are quoted to be read as text by others.
func isPlain(s string) bool {
	var probe struct {
		V map[string]any `yaml:"v"`
	}
	ds := config.Decode("", []byte("v: {v: "+s+"}"), &probe)
	return ds.Err() == nil && probe.V["v"] == s
}
