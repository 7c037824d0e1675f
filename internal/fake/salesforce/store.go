package salesforce

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Record is one record as text: a field that is empty is left out, Id is there.
type Record map[string]string

// apiError is one error. At the level of a request it goes out with errorCode,
// at that of a record with statusCode.
type apiError struct {
	Code    string
	Message string
	Fields  []string
}

func problem(code, message string, fields ...string) *apiError {
	return &apiError{Code: code, Message: message, Fields: fields}
}

// prefixes of ids by object; custom objects count up from a00.
var prefixes = map[string]string{"Account": "001", "Contact": "003"}

func (s *Server) newID(object string) string {
	prefix, ok := prefixes[object]
	if !ok {
		names := slices.Sorted(maps.Keys(s.options.Schema))
		prefix = fmt.Sprintf("a%02d", slices.Index(names, object))
	}
	s.ids++
	return fmt.Sprintf("%sxx%013d", prefix, s.ids)
}

// find returns the record with a value in a field.
func (s *Server) find(object, field, value string) Record {
	return s.byValue[object+"\x00"+field+"\x00"+value]
}

// index keeps the records of every external id findable.
func (s *Server) index(object string, r Record, add bool) {
	for name, f := range s.options.Schema[object] {
		value, ok := r[name]
		if !f.ExternalID || !ok {
			continue
		}
		key := object + "\x00" + name + "\x00" + value
		delete(s.byValue, key)
		if add {
			s.byValue[key] = r
		}
	}
}

// upsert writes the fields of one record that an external id names. A value is
// nil to empty the field.
func (s *Server) upsert(object, external string, values map[string]*string) (id string, created bool, err *apiError) {
	key := values[external]
	if key == nil || *key == "" {
		return "", false, problem("MISSING_ARGUMENT", external+" not specified")
	}
	if err := s.failing(*key); err != nil {
		return "", false, err
	}
	old := s.find(object, external, *key)
	id, err = s.save(object, old, values)
	return id, old == nil && err == nil, err
}

// save checks what a record would be and stores it.
func (s *Server) save(object string, old Record, values map[string]*string) (string, *apiError) {
	next := Record{}
	maps.Copy(next, old)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f, ok := s.options.Schema[object][name]
		if !ok {
			return "", problem("INVALID_FIELD", fmt.Sprintf("No such column '%s' on sobject of type %s", name, object), name)
		}
		value := values[name]
		if value == nil || *value == "" { // text cannot be empty: it is null
			delete(next, name)
			continue
		}
		text, err := f.check(name, *value)
		if err != nil {
			return "", err
		}
		next[name] = text
	}
	var missing []string
	for name, f := range s.options.Schema[object] {
		if _, ok := next[name]; !ok && f.Required {
			missing = append(missing, name)
		}
		if _, ok := next[name]; !ok && f.Kind == Checkbox {
			next[name] = "false"
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		return "", problem("REQUIRED_FIELD_MISSING", "Required fields are missing: ["+strings.Join(missing, ", ")+"]", missing...)
	}
	if old != nil {
		s.index(object, old, false)
	} else {
		next["Id"] = s.newID(object)
	}
	s.records[object][next["Id"]] = next
	s.index(object, next, true)
	return next["Id"], nil
}

// check returns the value as it is kept.
func (f Field) check(name, value string) (string, *apiError) {
	switch f.Kind {
	case Number:
		digits := strings.Trim(strings.TrimLeft(strings.Replace(strings.TrimPrefix(value, "-"), ".", "", 1), "0"), " ")
		if len(digits) > 18 {
			return "", problem("NUMBER_OUTSIDE_VALID_RANGE", name+": value outside of valid range on numeric field", name)
		}
	case DateTime:
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return "", problem("INVALID_TYPE_ON_FIELD_IN_RECORD", name+": value not of required type", name)
		}
		return t.UTC().Format("2006-01-02T15:04:05.000+0000"), nil
	case Text:
		limit := f.Length
		if limit == 0 {
			limit = 255
		}
		if utf8.RuneCountInString(value) > limit {
			return "", problem("STRING_TOO_LONG", fmt.Sprintf("%s: data value too large: (max length=%d)", name, limit), name)
		}
	}
	return value, nil
}

// remove deletes a record by its id.
func (s *Server) remove(id string) *apiError {
	for object, records := range s.records {
		r, ok := records[id]
		if !ok {
			continue
		}
		s.index(object, r, false)
		delete(records, id)
		return nil
	}
	return problem("ENTITY_IS_DELETED", "entity is deleted")
}

// fromJSON reads the members of a record in a request. An error in how a value is
// written refuses the whole request; malformed says that it is such a one.
func (s *Server) fromJSON(object string, members map[string]json.RawMessage) (values map[string]*string, err *apiError, malformed bool) {
	values = map[string]*string{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		raw := members[name]
		if name == "attributes" {
			continue
		}
		if strings.HasPrefix(string(raw), "{") {
			field, id, err := s.parent(object, name, raw)
			if err != nil {
				return nil, err, false
			}
			values[field] = &id
			continue
		}
		if string(raw) == "null" {
			values[name] = nil
			continue
		}
		f, known := s.options.Schema[object][name]
		text, ok := f.fromJSON(raw)
		if known && !ok {
			return nil, problem("JSON_PARSER_ERROR", "Cannot deserialize the value of "+name+" at [line:1, column:1]"), true
		}
		values[name] = &text
	}
	return values, nil, false
}

// fromJSON reads one value; ok is false when its JSON type is not the field's.
func (f Field) fromJSON(raw json.RawMessage) (text string, ok bool) {
	isText := json.Unmarshal(raw, &text) == nil
	if !isText {
		text = string(raw)
	}
	switch f.Kind {
	case Number:
		return text, !isText && text != "true" && text != "false" && text[0] != '['
	case Checkbox:
		return text, text == "true" || text == "false"
	case Date:
		_, err := time.Parse(time.DateOnly, text)
		return text, isText && err == nil
	default:
		return text, isText
	}
}

// parent resolves {"Ext__c": "value"} under the name of a relationship.
func (s *Server) parent(object, name string, raw json.RawMessage) (field, id string, problems *apiError) {
	field, f, ok := s.options.Schema.relationship(object, name)
	if !ok {
		return "", "", problem("INVALID_FIELD", fmt.Sprintf("No such column '%s' on sobject of type %s", name, object), name)
	}
	var ref map[string]string
	if err := json.Unmarshal(raw, &ref); err != nil || len(ref) != 1 {
		return "", "", problem("INVALID_FIELD", "More than 1 field provided in an external foreign key reference in entity: "+f.To)
	}
	for external, value := range ref {
		id, problems = s.parentID(f, external, value)
	}
	return field, id, problems
}

func (s *Server) parentID(f Field, external, value string) (string, *apiError) {
	if !s.options.Schema[f.To][external].ExternalID {
		return "", problem("INVALID_FIELD", external+" is not an External ID or indexed field for "+f.To)
	}
	r := s.find(f.To, external, value)
	if r == nil {
		return "", problem("INVALID_FIELD", fmt.Sprintf("Foreign key external ID: %s not found for field %s in entity %s", value, external, f.To))
	}
	return r["Id"], nil
}
