package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// Schema returns the JSON Schema of the settings struct T, for
// Description.ConfigSchema. Names come from json tags; a field without
// omitempty is required; `jsonschema:"…"` tags add description, enum, default
// and limits. Mark secrets `jsonschema:"writeOnly=true"`, so that tools hide them.
// It panics if T is not a struct.
func Schema[T any]() json.RawMessage {
	t := structType[T]()
	r := jsonschema.Reflector{
		Anonymous:      true,
		ExpandedStruct: true,
		DoNotReference: true,
	}
	b, err := json.Marshal(r.ReflectFromType(t))
	if err != nil {
		panic(fmt.Errorf("schema of %s: %w", t, err))
	}
	return b
}

// Decode reads settings into T strictly: an unknown or missing setting and a
// value of the wrong type are errors that name the setting and quote no value.
// It panics if T is not a struct.
func Decode[T any](settings json.RawMessage) (T, error) {
	var v, zero T
	t := structType[T]()
	if text := bytes.TrimSpace(settings); len(text) == 0 || string(text) == "null" {
		settings = json.RawMessage("{}")
	}
	if err := checkNames(t, "", settings); err != nil {
		return zero, err
	}
	d := json.NewDecoder(bytes.NewReader(settings))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return zero, settingError(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return zero, errors.New("settings: more than one JSON value")
	}
	return v, nil
}

func structType[T any]() reflect.Type {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("settings must be a struct, not %s", t))
	}
	return t
}

// settingError rewords what encoding/json says, which names Go types.
func settingError(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		got, _, _ := strings.Cut(e.Value, " ") // "number 5" holds the value
		name := e.Field
		if name == "" {
			return fmt.Errorf("settings must be an object, not %s", article(got))
		}
		return fmt.Errorf("setting %q: must be %s, not %s", name, kindName(e.Type), article(got))
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("settings are not JSON (at byte %d)", e.Offset)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("settings are not JSON (they end too early)")
	}
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "json: unknown field "); ok {
		return fmt.Errorf("unknown setting %s", name)
	}
	return fmt.Errorf("settings: %w", err)
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	default:
		return "an object"
	}
}

func article(jsonType string) string {
	switch jsonType {
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	default:
		return "a " + jsonType
	}
}

// checkNames finds unknown and missing names in one object, and in the objects
// below it. encoding/json accepts any case and misses what is absent.
func checkNames(t reflect.Type, path string, raw json.RawMessage) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || members == nil {
		return nil // of the wrong type: Decode says so
	}
	known := map[string]reflect.StructField{}
	var names, missing []string
	for _, f := range reflect.VisibleFields(t) {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || tag == "-" || f.Anonymous && tag == "" {
			continue
		}
		if tag == "" {
			tag = f.Name
		}
		known[tag] = f
		names = append(names, tag)
		optional := slices.ContainsFunc(strings.Split(options, ","), func(o string) bool {
			return o == "omitempty" || o == "omitzero"
		})
		if _, ok := members[tag]; !ok && !optional {
			missing = append(missing, tag)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		f, ok := known[name]
		if !ok {
			return fmt.Errorf("unknown setting %q (known: %s)", path+name, strings.Join(names, ", "))
		}
		value := members[name]
		if f.Type.Kind() == reflect.Struct && !reflect.PointerTo(f.Type).Implements(reflect.TypeFor[json.Unmarshaler]()) {
			if err := checkNames(f.Type, path+name+".", value); err != nil {
				return err
			}
		}
	}
	if len(missing) > 0 { // after the unknown ones: a misspelt name is both
		return fmt.Errorf("setting %q is required", path+missing[0])
	}
	return nil
}
