package config

import (
	"reflect"
	"strings"
	"time"
)

// field is what the tags of a struct field say of a setting.
type field struct {
	index    []int // of the struct field, within inlined ones
	typ      reflect.Type
	key      string
	doc      string
	def      string
	enum     []string
	min      string // inclusive
	above    string // exclusive
	format   string
	required bool
	secret   bool
	within   bool // a route, so that routes are those of a group
}

// fieldsOf returns the settings of a struct in the order they are declared.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		key := sf.Tag.Get("yaml")
		switch key {
		case "":
			continue
		case ",inline":
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				out = append(out, f)
			}
			continue
		}
		f := field{
			index: []int{i}, typ: sf.Type, key: key,
			doc: sf.Tag.Get("doc"), def: sf.Tag.Get("default"),
			min: sf.Tag.Get("min"), above: sf.Tag.Get("above"), format: sf.Tag.Get("format"),
			required: sf.Tag.Get("required") == "true", secret: sf.Tag.Get("secret") == "true",
		}
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, ",")
		}
		out = append(out, f)
	}
	return out
}

func keysOf(fields []field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.key
	}
	return out
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	authType     = reflect.TypeFor[SourceAuth]()
	settingsType = reflect.TypeFor[map[string]any]()
	expandType   = reflect.TypeFor[Expand]()
	routeType    = reflect.TypeFor[Route]()
	routesType   = reflect.TypeFor[[]Route]()
)

// kindOf names the type of a setting as the messages, the schema and the
// reference do.
func (f field) kindOf() string { return kindName(f.typ, f.format) }

func kindName(t reflect.Type, format string) string {
	switch {
	case t == durationType:
		return "duration"
	case t == authType:
		return "list of mappings, or none"
	case t == expandType:
		return "text, list of text, or mapping"
	case format == "bytes":
		return "size"
	case format == "address":
		return "address"
	case format == "sha256":
		return "checksum"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return "list of mappings"
		}
		return "list of " + kindName(t.Elem(), "")
	case reflect.Map:
		switch t.Elem().Kind() {
		case reflect.String:
			return "mapping of text"
		case reflect.Slice:
			return "mapping of lists"
		}
		return "mapping"
	default:
		return "mapping"
	}
}

// explain is the documentation in the form of a hint.
func (f field) explain() string {
	doc := strings.TrimSuffix(f.doc, ".")
	if len(doc) < 2 || strings.ToUpper(doc[:2]) == doc[:2] {
		return doc // an abbreviation such as PEM
	}
	return strings.ToLower(doc[:1]) + doc[1:]
}
