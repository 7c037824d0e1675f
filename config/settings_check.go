package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

const schemaURL = "plugin:///settings.json"

// CheckSettings checks the config of a destination against the JSON Schema of
// its plugin and places each violation in the file. No value is quoted.
//
// What ${…} brings in is text. Where the schema wants a number or a boolean
// there and the text is one, CheckSettings makes it one in f.Config, so call it
// before SettingsJSON. Different destinations may be checked concurrently.
func (f *File) CheckSettings(destination string, schema json.RawMessage) Diagnostics {
	d, ok := f.Config.Destinations[destination]
	base := []any{"destinations", destination, "config"}
	if !ok || len(bytes.TrimSpace(schema)) == 0 || !f.report.ok(base...) {
		return nil
	}
	doc, compiled, err := compileSchema(schema)
	if err != nil {
		return Diagnostics{f.Diagnose([]any{"destinations", destination, "plugin"},
			"this is a fault of the plugin: tell its author", "the plugin's schema of its settings cannot be used: %v", err)}
	}
	if n, _, exact := locate(f.report.root, base); exact {
		f.report.hideWriteOnly(n, doc)
	}
	s := settingsCheck{file: f, base: base, settings: d.Config, doc: doc}
	if s.settings == nil {
		s.settings = map[string]any{}
	}
	for {
		err := compiled.Validate(s.settings)
		violation, ok := errors.AsType[*jsonschema.ValidationError](err)
		if !ok {
			return nil
		}
		if !s.convert(violation) {
			s.report(violation)
			s.list.Sort()
			return slices.CompactFunc(s.list, func(a, b Diagnostic) bool { return a == b })
		}
	}
}

func compileSchema(schema json.RawMessage) (any, *jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, nil, err
	}
	compiled, err := c.Compile(schemaURL)
	return doc, compiled, err
}

// noLoader keeps a plugin's schema from reading files or the network.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s; a schema must stand alone", url)
}

type settingsCheck struct {
	file     *File
	base     []any
	settings map[string]any
	doc      any // the schema, for its property names
	list     Diagnostics
}

// path turns an instance location into a path of the file. Whether a digit is
// an index or a key depends on what is there.
func (s *settingsCheck) path(location []string) []any {
	path := with(s.base)
	var at any = s.settings
	for _, token := range location {
		switch v := at.(type) {
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return path
			}
			path, at = append(path, i), v[i]
		case map[string]any:
			path, at = append(path, token), v[token]
		default:
			return path
		}
	}
	return path
}

// convert gives texts that came from ${…} the types that the schema wants. It
// reports whether it changed anything; each text can change once.
func (s *settingsCheck) convert(e *jsonschema.ValidationError) bool {
	changed := false
	if k, ok := e.ErrorKind.(*kind.Type); ok {
		path := s.path(e.InstanceLocation)
		if text, isText := s.value(e.InstanceLocation).(string); isText && s.file.report.resolved[identity(path)] {
			if v, fits := asType(text, k.Want); fits {
				s.set(e.InstanceLocation, v)
				changed = true
			}
		}
	}
	for _, cause := range e.Causes {
		changed = s.convert(cause) || changed
	}
	return changed
}

func asType(text string, want []string) (any, bool) {
	for _, w := range want {
		switch {
		case w == "boolean" && (text == "true" || text == "false"):
			return text == "true", true
		case (w == "integer" || w == "number") && jsonNumber.MatchString(text):
			return json.Number(text), true
		}
	}
	return nil, false
}

func (s *settingsCheck) value(location []string) any {
	var at any = s.settings
	for _, token := range location {
		switch v := at.(type) {
		case map[string]any:
			at = v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			at = v[i]
		}
	}
	return at
}

func (s *settingsCheck) set(location []string, value any) {
	if len(location) == 0 {
		return
	}
	last := location[len(location)-1]
	switch parent := s.value(location[:len(location)-1]).(type) {
	case map[string]any:
		parent[last] = value
	case []any:
		if i, err := strconv.Atoi(last); err == nil && i >= 0 && i < len(parent) {
			parent[i] = value
		}
	}
}

func (s *settingsCheck) add(path []any, hint, format string, args ...any) {
	if s.file.report.ok(path...) {
		s.list = append(s.list, s.file.Diagnose(path, hint, format, args...))
	}
}

// report turns the leaves of a violation into diagnostics.
func (s *settingsCheck) report(e *jsonschema.ValidationError) {
	path := s.path(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			s.add(with(path, name), s.propertyDoc(e, name), "is required")
		}
	case *kind.DependentRequired:
		for _, name := range k.Missing {
			s.add(with(path, name), "add it, or remove "+k.Prop, "is required with %s", k.Prop)
		}
	case *kind.Dependency:
		for _, name := range k.Missing {
			s.add(with(path, name), "add it, or remove "+k.Prop, "is required with %s", k.Prop)
		}
	case *kind.AdditionalProperties:
		known := s.properties(e)
		for _, name := range k.Properties {
			s.addKey(with(path, name), didYouMean(name, "known here:", known), "unknown setting of the plugin")
		}
	case *kind.PropertyNames:
		s.addKey(with(path, k.Property), "see the plugin's reference", "is not a name that the plugin takes")
	case *kind.AnyOf, *kind.OneOf:
		s.alternatives(e, path)
	default:
		if len(e.Causes) > 0 {
			for _, cause := range e.Causes {
				s.report(cause)
			}
			return
		}
		problem, hint := violation(e.ErrorKind, s.value(e.InstanceLocation), s.file.report.resolved[identity(path)])
		s.add(path, hint, "%s", problem)
	}
}

func (s *settingsCheck) addKey(path []any, hint, problem string) {
	n, key, _ := locate(s.file.report.root, path)
	if key != nil {
		n = key
	}
	s.list = append(s.list, s.file.diagnoseAt(n.Line, n.Column, path, hint, problem))
}

// alternatives explains the branch that came nearest: the one with the fewest
// violations, and of those the one whose violations lie deepest.
func (s *settingsCheck) alternatives(e *jsonschema.ValidationError, path []any) {
	if k, ok := e.ErrorKind.(*kind.OneOf); ok && len(k.Subschemas) > 1 {
		s.add(path, "see the plugin's reference", "fits several forms of which only one is allowed")
		return
	}
	types := map[string]bool{}
	onlyTypes := len(e.Causes) > 0
	var best Diagnostics
	deepest := -1
	for _, cause := range e.Causes {
		leaf := cause
		for len(leaf.Causes) == 1 {
			leaf = leaf.Causes[0]
		}
		if k, ok := leaf.ErrorKind.(*kind.Type); ok && len(leaf.InstanceLocation) == len(e.InstanceLocation) {
			for _, w := range k.Want {
				types[w] = true
			}
			continue
		}
		onlyTypes = false
		branch := settingsCheck{file: s.file, base: s.base, settings: s.settings, doc: s.doc}
		branch.report(cause)
		depth := depthOf(cause)
		if len(branch.list) > 0 && (best == nil || len(branch.list) < len(best) || len(branch.list) == len(best) && depth > deepest) {
			best, deepest = branch.list, depth
		}
	}
	switch {
	case onlyTypes:
		s.add(path, "", "must be %s", typeNames(slices.Sorted(maps.Keys(types))))
	case best != nil:
		s.list = append(s.list, best...)
	default:
		s.add(path, "see the plugin's reference", "fits none of the allowed forms")
	}
}

func depthOf(e *jsonschema.ValidationError) int {
	depth := len(e.InstanceLocation)
	for _, cause := range e.Causes {
		depth = max(depth, depthOf(cause))
	}
	return depth
}

// properties lists the property names that the violated schema knows.
func (s *settingsCheck) properties(e *jsonschema.ValidationError) []string {
	object, _ := s.schemaAt(e).(map[string]any)
	properties, _ := object["properties"].(map[string]any)
	return slices.Collect(maps.Keys(properties))
}

// propertyDoc is the description that the violated schema gives a property.
func (s *settingsCheck) propertyDoc(e *jsonschema.ValidationError, property string) string {
	object, _ := s.schemaAt(e).(map[string]any)
	properties, _ := object["properties"].(map[string]any)
	p, _ := properties[property].(map[string]any)
	description, _ := p["description"].(string)
	return field{doc: description}.explain()
}

func (s *settingsCheck) schemaAt(e *jsonschema.ValidationError) any {
	_, fragment, _ := strings.Cut(e.SchemaURL, "#")
	at := s.doc
	for token := range strings.SplitSeq(strings.TrimPrefix(fragment, "/"), "/") {
		if token == "" {
			continue
		}
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch v := at.(type) {
		case map[string]any:
			at = v[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			at = v[i]
		default:
			return nil
		}
	}
	return at
}
