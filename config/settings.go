package config

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

var jsonNumber = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$`)

// settings reads the free-form settings of a plugin. Numbers keep their text.
func (d *decoder) settings(n *yaml.Node, path []any) map[string]any {
	out := make(map[string]any, len(n.Content)/2)
	d.each(n, path, func(k, value *yaml.Node, p []any) {
		out[k.Value] = d.setting(value, p)
	})
	return out
}

func (d *decoder) setting(n *yaml.Node, path []any) any {
	switch n.Kind {
	case yaml.MappingNode:
		return d.settings(n, path)
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			out[i] = d.setting(item, with(path, i))
		}
		return out
	}
	text, isText, _ := d.scalar(n, path)
	if isText {
		return text
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		number, problem := exactNumber(n.Value)
		if problem != "" {
			d.fail(n, path, "quote it if it is meant as text", "%s %s", quote(n.Value), problem)
		}
		return number
	default: // dates and the like are text to a plugin
		return n.Value
	}
}

// exactNumber writes a YAML number as JSON does, digit for digit.
func exactNumber(text string) (json.Number, string) {
	if jsonNumber.MatchString(text) {
		return json.Number(text), ""
	}
	if leadingZero.MatchString(text) {
		return "0", errOctal.Error()
	}
	plain := strings.ReplaceAll(text, "_", "")
	if i, ok := new(big.Int).SetString(plain, 0); ok {
		return json.Number(i.String()), ""
	}
	sign := ""
	switch {
	case strings.HasPrefix(plain, "-"):
		sign, plain = "-", plain[1:]
	case strings.HasPrefix(plain, "+"):
		plain = plain[1:]
	}
	if strings.HasPrefix(plain, ".") {
		plain = "0" + plain
	}
	if whole, exponent, found := strings.Cut(plain, "."); found && (exponent == "" || exponent[0] == 'e' || exponent[0] == 'E') {
		plain = whole + exponent
	}
	if plain = sign + plain; jsonNumber.MatchString(plain) {
		return json.Number(plain), ""
	}
	return "0", "is not a number that JSON can hold"
}

// SettingsJSON returns the plugin's settings as a JSON object, with numbers as
// the file writes them. It may hold secrets.
func (d Destination) SettingsJSON() (json.RawMessage, error) {
	if len(d.Config) == 0 {
		return json.RawMessage("{}"), nil
	}
	return JSON(d.Config)
}

// JSON writes a setting of free form as JSON, with numbers as the file writes
// them.
func JSON(setting any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(setting); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
