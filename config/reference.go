package config

//go:generate go test -count=1 -run ^TestGeneratedFilesAreCurrent$ . -update

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
)

// Reference returns the reference page of the configuration, in Markdown.
func Reference() []byte {
	var b bytes.Buffer
	b.WriteString(referenceIntro)
	section(&b, "Top level", "", reflect.TypeFor[Config]())
	b.WriteString(referenceEnd)
	return b.Bytes()
}

// section writes the table of one mapping, and the sections of those within it.
func section(b *bytes.Buffer, title, doc string, t reflect.Type) {
	b.WriteString("\n## " + title + "\n\n")
	if doc != "" {
		b.WriteString(cell(doc) + "\n\n")
	}
	b.WriteString("| setting | type | default | |\n| --- | --- | --- | --- |\n")
	type inner struct {
		title, doc string
		typ        reflect.Type
	}
	var within []inner
	prefix := ""
	if strings.HasPrefix(title, "`") {
		prefix = strings.Trim(title, "`") + "."
	}
	for _, f := range fieldsOf(t) {
		b.WriteString("| `" + f.key + "` | " + f.kindOf() + " | " + defaultText(f) + " | " + cell(describeField(f)) + " |\n")
		switch name := prefix + f.key; {
		case t == routeType && (f.typ == routesType || f.key == "for"): // as explained above
		case f.typ == expandType:
			within = append(within, inner{"`" + name + ".<field>`", "Each element of the list becomes a record of its own.", reflect.TypeFor[Child]()})
		case f.typ == authType:
			within = append(within, inner{"`" + name + "[]`", "Each item is exactly one of these. All items must pass.", reflect.TypeFor[AuthEntry]()})
		case f.typ.Kind() == reflect.Struct:
			within = append(within, inner{"`" + name + "`", f.doc, f.typ})
		case f.typ.Kind() == reflect.Pointer:
			within = append(within, inner{"`" + name + "`", f.doc, f.typ.Elem()})
		case f.typ.Kind() == reflect.Map && f.typ.Elem().Kind() == reflect.Struct:
			within = append(within, inner{"`" + name + ".<name>`", f.doc + " A name is " + nameHint + ".", f.typ.Elem()})
		case f.typ.Kind() == reflect.Slice && f.typ.Elem().Kind() == reflect.Struct:
			within = append(within, inner{"`" + name + "[]`", f.doc, f.typ.Elem()})
		}
	}
	for _, s := range within {
		section(b, s.title, s.doc, s.typ)
	}
}

func defaultText(f field) string {
	switch {
	case f.required:
		return "required"
	case f.def != "":
		return "`" + f.def + "`"
	}
	return ""
}

func describeField(f field) string {
	parts := []string{f.doc}
	if len(f.enum) > 0 && !slices.ContainsFunc(f.enum, func(e string) bool { return strings.Contains(f.doc, e) }) {
		parts = append(parts, "One of "+strings.Join(f.enum, ", ")+".")
	}
	switch {
	case f.min != "" && f.min != "0" && f.min != "0s":
		parts = append(parts, "At least "+f.min+".")
	case f.above != "":
		parts = append(parts, "More than 0.")
	}
	if f.secret {
		parts = append(parts, "Secret: never printed.")
	}
	return strings.Join(parts, " ")
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(s)
}

const referenceIntro = `<!-- Made from the types in config/ by "make generate". Do not edit. -->

# Configuration

Sluice reads a YAML file, ` + "`sluice.yaml`" + ` unless ` + "`-c`" + ` names another, or a [directory of
files](../configuring.md#several-files). ` + "`sluice validate`" + ` checks it and
shows every problem at once, with its place and what to do about it. Complete files are in
[config/examples](../../config/examples); [sluice.schema.json](../../config/sluice.schema.json) gives editors
completion and checks:

` + "```yaml" + `
# yaml-language-server: $schema=./config/sluice.schema.json
` + "```" + `

The file is read strictly. Unknown keys, duplicate keys and values of the wrong type are errors. Anchors,
aliases, tags, merge keys and a second document are not supported; a file has at most 1 MiB.

**References.** Within any value, these are replaced:

| written | becomes |
| --- | --- |
| ` + "`${NAME}`" + ` | the environment variable; it is an error if it is not set |
| ` + "`${NAME:-default}`" + ` | the same, or the default if it is not set or empty |
| ` + "`${file:path}`" + ` | the content of a file without its last line break; a relative path starts at the folder of the configuration file. Read again when it changes |
| ` + "`${exec:program argument}`" + ` | what the program prints, without its last line break; only with ` + "`--allow-exec`" + ` |
| ` + "`$${`" + ` | the characters ` + "`${`" + ` |

What comes in is text and never read as YAML; where a setting is a number, a duration and so on, the text is
read as one. Keys are not replaced. Within ` + "`{ }` and `[ ]`" + `, quote references. Values from references are never
printed.

**Types.** A *duration* is a number with a unit, or several: ` + "`30s`, `5m`, `1h30m`, `7d`, `1d12h`" + `. A *size* is a number
of bytes or has a unit: ` + "`33554432`, `512KiB`, `32MiB`, `1GiB`, `10MB`" + `. An *address* is ` + "`host:port`" + `; without a
host, all interfaces.
`

const referenceEnd = `
## How routes decide

A route without ` + "`events`" + ` takes ` + "`data_model_changes`" + ` only; ` + "`events: [\"*\"]`" + ` takes every kind. ` + "`models` and `operations`" + `
restrict data-model events and nothing else; ` + "`sources`, `companies` and `integrations`" + ` restrict all events. An event
that has no company passes a filter on companies only if that is ` + "`*`" + `.

| event | ` + "`mode: records`" + ` | ` + "`mode: changes`" + ` |
| --- | --- | --- |
| ` + "`data_model_changes`" + ` | the merged state of each record that changed | each change as it came |
| all other kinds | the event as a whole | the event as a whole |

All routes that match apply. Where several send the same record, change or event to the same destination, the
first in the file wins, with its ` + "`object`" + `: one delivery for each record and destination. Rows of ` + "`models`" + ` come after
all routes. [Routing](../routing.md) and [mapping](../mapping.md) explain it with examples.
`
