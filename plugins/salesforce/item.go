package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
)

// item is what is to be done about one external id.
type item struct {
	places  []int // of the records in the batch whose outcome it is
	key     string
	version int64
	remove  bool
	fields  map[string]json.RawMessage // as Salesforce takes them, without the key
	shape   string                     // the names of the columns
	parents string                     // external ids of parents, to sort by
	plain   bool                       // may go into a CSV
}

// externalID is the field by which records of the batch are found.
func (w *writing) externalID(b *destination.Batch) (string, error) {
	switch {
	case !apiName.MatchString(b.Object):
		return "", fmt.Errorf("%q is no API name of an object; name it under object of the route", b.Object)
	case len(b.KeyFields) == 1 && apiName.MatchString(b.KeyFields[0]):
		return b.KeyFields[0], nil
	case w.client.options.ExternalID != "":
		return w.client.options.ExternalID, nil
	default:
		return "", fmt.Errorf("the key %v is no external id field; set key of the route to one, or external_id of the destination", b.KeyFields)
	}
}

// newItem reads a record. Its errors are the record's own fault and name no values.
func (w *writing) newItem(b *destination.Batch, place int) (*item, error) {
	r := &b.Records[place]
	it := &item{places: []int{place}, version: r.Version, fields: map[string]json.RawMessage{}, plain: true}
	switch r.Operation {
	case destination.Upsert:
	case destination.Delete:
		it.remove = true
	default:
		return nil, fmt.Errorf("this destination takes merged records only (mode: records), not the operation of this one")
	}
	if len(r.Key) != len(b.KeyFields) {
		return nil, fmt.Errorf("the record has %d key values for %d key fields", len(r.Key), len(b.KeyFields))
	}
	if it.key = joinKey(r.Key); it.key == "" {
		return nil, fmt.Errorf("the key is empty")
	}
	if it.remove {
		return it, nil
	}
	for name, value := range r.Fields {
		if name == w.external || slices.Contains(b.KeyFields, name) {
			continue
		}
		if !apiName.MatchString(name) {
			return nil, fmt.Errorf("%q is no API name of a field; map it to one", name)
		}
		if err := it.set(name, value, b.Types[name]); err != nil {
			return nil, err
		}
	}
	o := &w.client.options
	if o.VersionField != "" {
		it.fields[o.VersionField] = fmt.Appendf(nil, "%d", r.Version)
	}
	if o.soft {
		it.fields[o.DeletedField] = json.RawMessage("false")
	}
	it.plain = it.plain && plainCell(it.key)
	it.shape = strings.Join(slices.Sorted(maps.Keys(it.columns())), ",")
	return it, nil
}

// joinKey makes one text of a key, so that no two keys make the same.
func joinKey(key []string) string {
	if len(key) == 1 {
		return key[0]
	}
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`)
	parts := make([]string, len(key))
	for i, part := range key {
		parts[i] = escape.Replace(part)
	}
	return strings.Join(parts, ":")
}

// set takes a field in. Numbers keep their text; lists and objects become text,
// but for an object that names a parent.
func (it *item) set(name string, value json.RawMessage, t destination.FieldType) error {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		value = json.RawMessage("null")
	}
	if !json.Valid(value) {
		return fmt.Errorf("field %q is not JSON", name)
	}
	switch {
	case string(value) == "null":
		// A relationship cannot be null, its lookup field can.
		if lookup, ok := strings.CutSuffix(name, "__r"); ok {
			name = lookup + "__c"
		}
	case value[0] == '{':
		// An expression that makes a reference has the type of its object: JSON.
		external, parent, ok := reference(name, value)
		if ok && (t != destination.TypeJSON || strings.HasSuffix(name, "__r") || strings.HasSuffix(external, "__c")) {
			if parent == "" {
				name, value = lookupOf(name), json.RawMessage("null")
				break
			}
			it.parents += "\x00" + external + "\x00" + parent
			it.plain = it.plain && plainCell(parent)
			break
		}
		value = asText(value)
	case value[0] == '[':
		value = asText(value)
	case value[0] == '"':
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return fmt.Errorf("field %q is not JSON", name)
		}
		if text == "" {
			value = json.RawMessage("null") // Salesforce keeps no empty text
		}
		it.plain = it.plain && plainCell(text)
	}
	it.fields[name] = value
	return nil
}

// reference reads {"Ext__c": "value"}: a parent by its external id. One without
// a value is no parent.
func reference(name string, value json.RawMessage) (external, parent string, ok bool) {
	var members map[string]*string
	if strings.HasSuffix(name, "__c") || json.Unmarshal(value, &members) != nil || len(members) != 1 {
		return "", "", false
	}
	for external, value := range members {
		if !apiName.MatchString(external) {
			return "", "", false
		}
		if value == nil {
			return external, "", true
		}
		return external, *value, true
	}
	return "", "", false
}

// lookupOf is the field behind a relationship.
func lookupOf(relationship string) string {
	if custom, ok := strings.CutSuffix(relationship, "__r"); ok {
		return custom + "__c"
	}
	return relationship + "Id"
}

func asText(value json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(string(value)) // a string always encodes
	return bytes.TrimSpace(b.Bytes())
}

// plainCell reports whether a text means itself in a CSV of the Bulk API.
func plainCell(text string) bool { return text != "#N/A" && !strings.Contains(text, "\r") }

// columns are the cells of a CSV row by the names of their columns.
func (it *item) columns() map[string]string {
	out := make(map[string]string, len(it.fields))
	for name, value := range it.fields {
		switch {
		case string(value) == "null":
			out[name] = "#N/A" // an empty cell would leave the field as it is
		case value[0] == '{':
			external, parent, _ := reference(name, value)
			out[name+"."+external] = parent
		case value[0] == '"':
			var text string
			_ = json.Unmarshal(value, &text) // set has read it before
			out[name] = text
		default:
			out[name] = string(value)
		}
	}
	return out
}

// body is the record of a collection.
func (it *item) body(object, external string) map[string]any {
	out := map[string]any{"attributes": map[string]string{"type": object}, external: it.key}
	for name, value := range it.fields {
		out[name] = value
	}
	return out
}
