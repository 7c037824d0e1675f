package config

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/sluicehq/sluice/internal/event"
)

// Schema returns the JSON Schema of the configuration, for editors. It accepts
// everything that Parse accepts; what only Parse can see (a destination that is
// not there, a missing variable) it lets pass.
func Schema() []byte {
	root := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "Sluice configuration"},
	}
	root = append(root, structSchema(reflect.TypeFor[Config]())...)
	compact, err := marshal(root)
	if err != nil {
		panic("config: schema: " + err.Error()) // only strings, numbers and lists go in
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		panic("config: schema: " + err.Error())
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func structSchema(t reflect.Type) object {
	fields := fieldsOf(t)
	var properties object
	var required []any
	for _, f := range fields {
		f.within = t == routeType
		s := object{}
		if f.doc != "" {
			s = append(s, member{"description", f.doc})
		}
		s = append(s, typeSchema(f.typ, f)...)
		if f.def != "" {
			s = append(s, member{"default", defaultValue(f)})
		}
		properties = append(properties, member{f.key, s})
		if f.required {
			required = append(required, f.key)
		}
	}
	out := object{{"type", orNull("object", required == nil)}, {"additionalProperties", false}}
	if required != nil {
		out = append(out, member{"required", required})
	}
	return append(out, member{"properties", properties})
}

func defaultValue(f field) any {
	switch {
	case f.typ == durationType || f.format == "bytes":
		return f.def
	case isNumeric(f.typ):
		return json.Number(f.def)
	}
	return f.def
}

// orNull also accepts a key with nothing behind it, say because everything below
// it is commented out.
func orNull(name string, nothing bool) any {
	if nothing {
		return []any{name, "null"}
	}
	return name
}

// reference is text that holds a ${…}, which may stand wherever a scalar may.
var reference = object{{"type", "string"}, {"pattern", `\$\{`}}

func typeSchema(t reflect.Type, f field) object {
	switch {
	case t == authType:
		entry := structSchema(reflect.TypeFor[AuthEntry]())
		entry = append(entry, member{"minProperties", 1}, member{"maxProperties", 1})
		return object{{"oneOf", []any{
			object{{"const", "none"}},
			object{{"type", "array"}, {"minItems", 1}, {"items", entry}},
			reference,
		}}}
	case t == routesType && f.key == "routes" && f.within:
		return object{{"type", orNull("array", true)}, {"items", object{{"$ref", "#/properties/routes/items"}}}}
	case t == expandType:
		return object{{"anyOf", []any{
			object{{"type", "string"}},
			object{{"type", "array"}, {"items", object{{"type", "string"}}}},
			object{{"type", orNull("object", true)}, {"additionalProperties", structSchema(reflect.TypeFor[Child]())}},
		}}}
	case t == settingsType:
		return object{{"type", orNull("object", true)}}
	case t == durationType:
		return object{{"type", []any{"string", "integer"}}, {"minimum", 0}, {"maximum", 0}, {"pattern", `^-?([0-9.]+(d|h|m|s|ms|us|µs|ns))+$|^0$|\$\{`}, {"examples", []any{"30s", "5m", "7d"}}}
	case f.format == "bytes":
		return object{{"anyOf", []any{
			append(object{{"type", "integer"}}, bounds(f)...),
			object{{"type", "string"}, {"pattern", `^[0-9]+\s*([kKmMgG]?[iI]?[bB])?$|\$\{`}},
		}}}
	}
	switch t.Kind() {
	case reflect.Struct:
		return structSchema(t)
	case reflect.Pointer:
		return structSchema(t.Elem())
	case reflect.Map:
		of := object{{"additionalProperties", typeSchema(t.Elem(), field{typ: t.Elem()})}}
		return append(object{{"type", orNull("object", true)}}, of...)
	case reflect.Slice:
		out := object{{"type", orNull("array", !f.required)}}
		if f.required {
			out = append(out, member{"minItems", 1})
		}
		return append(out, member{"items", itemSchema(t.Elem(), f)})
	case reflect.Int, reflect.Int64:
		return object{{"anyOf", []any{append(object{{"type", "integer"}}, bounds(f)...), reference}}}
	case reflect.Float64:
		return object{{"anyOf", []any{append(object{{"type", "number"}}, bounds(f)...), reference}}}
	case reflect.Bool:
		return object{{"anyOf", []any{object{{"type", "boolean"}}, reference}}}
	}
	switch {
	case len(f.enum) > 0:
		return object{{"anyOf", []any{object{{"enum", anys(f.enum)}}, reference}}}
	case f.format == "sha256":
		return object{{"type", "string"}, {"pattern", `^[0-9a-fA-F]{64}$|\$\{`}}
	default:
		return object{{"type", []any{"string", "number"}}}
	}
}

func itemSchema(t reflect.Type, f field) object {
	if f.key == "events" {
		kinds := []string{AllEvents}
		for _, k := range event.Kinds {
			kinds = append(kinds, string(k))
		}
		f.enum = kinds
	}
	return typeSchema(t, field{typ: t, enum: f.enum})
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

func bounds(f field) object {
	switch {
	case f.min != "":
		return object{{"minimum", json.Number(f.min)}}
	case f.above != "":
		return object{{"exclusiveMinimum", json.Number(f.above)}}
	}
	return nil
}
