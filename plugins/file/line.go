package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// line is one element of a change log. Key and Fields are JSON objects without
// line breaks; numbers in them keep their text.
type line struct {
	Object         string
	Key            json.RawMessage
	Operation      destination.Operation
	Version        int64
	Fields         json.RawMessage
	Changed        []string
	IdempotencyKey string
	OccurredAt     time.Time
	Origin         destination.Origin
}

// newLine renders key and fields of a record. Its errors are the record's own
// fault and name no values.
func newLine(b *destination.Batch, r *destination.Record, rename func(string) string) (line, error) {
	if len(r.Key) != len(b.KeyFields) {
		return line{}, fmt.Errorf("the record has %d key values for %d key fields", len(r.Key), len(b.KeyFields))
	}
	key := []byte{'{'}
	for i, name := range b.KeyFields {
		if i > 0 {
			key = append(key, ',')
		}
		key = appendString(key, name)
		key = append(key, ':')
		key = appendString(key, r.Key[i])
	}
	key = append(key, '}')
	fields, err := encodeFields(r.Fields, rename)
	if err != nil {
		return line{}, err
	}
	return line{
		// The identity of a line is computed over these two, so they must read
		// back as they were written, in every format.
		Object: oneLine(b.Object), IdempotencyKey: oneLine(r.IdempotencyKey),
		Key: key, Operation: r.Operation, Version: r.Version, Fields: fields,
		Changed: r.Changed, OccurredAt: r.OccurredAt, Origin: r.Origin,
	}, nil
}

func encodeFields(fields map[string]json.RawMessage, rename func(string) string) (json.RawMessage, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(appendString(nil, rename(name)))
		b.WriteByte(':')
		value := fields[name]
		if len(value) == 0 {
			value = json.RawMessage("null")
		}
		// Compact checks the value and takes out line breaks; it leaves numbers
		// and strings as they are.
		if err := json.Compact(&b, value); err != nil {
			return nil, fmt.Errorf("field %q is not JSON", name)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// appendString adds a JSON string. Unlike json.Marshal it leaves <, > and & alone.
func appendString(dst []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// identity tells whether two lines are the same write.
type identity [16]byte

// identify gives merged records the identity of their key, to be compared by
// version, and appended ones that of their idempotency key.
func identify(op destination.Operation, object string, key []byte, idempotencyKey string) identity {
	h := sha256.New()
	if op == destination.Append {
		fmt.Fprintf(h, "a%d:%s%s", len(object), object, idempotencyKey)
	} else {
		fmt.Fprintf(h, "r%d:%s%s", len(object), object, key)
	}
	var id identity
	copy(id[:], h.Sum(nil))
	return id
}

// codec is a file format of change logs: one line per element.
type codec interface {
	// header is the first line of a file, with its line break; may be empty.
	header() []byte
	// encode adds the line with its line break.
	encode(dst []byte, l *line) []byte
	// identify reads back what encode wrote, without the line break. ok is false
	// for a line that this format did not write.
	identify(raw []byte) (id identity, version int64, ok bool)
	// complete reports whether raw, the rest of a file that lacks a line break,
	// can only be a whole line.
	complete(raw []byte) bool
}

// jsonl writes one JSON object per line.
type jsonl struct{}

func (jsonl) header() []byte { return nil }

func (jsonl) encode(dst []byte, l *line) []byte {
	dst = append(dst, `{"object":`...)
	dst = appendString(dst, l.Object)
	dst = append(dst, `,"key":`...)
	dst = append(dst, l.Key...)
	dst = append(dst, `,"operation":`...)
	dst = appendString(dst, string(l.Operation))
	dst = append(dst, `,"version":`...)
	dst = strconv.AppendInt(dst, l.Version, 10)
	dst = append(dst, `,"fields":`...)
	dst = append(dst, l.Fields...)
	if len(l.Changed) > 0 {
		dst = append(dst, `,"changed":[`...)
		for i, name := range l.Changed {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, name)
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `,"idempotency_key":`...)
	dst = appendString(dst, l.IdempotencyKey)
	dst = append(dst, `,"occurred_at":`...)
	dst = appendString(dst, renderTime(l.OccurredAt))
	for _, p := range []struct{ name, value string }{
		{"event_id", l.Origin.EventID},
		{"event_kind", l.Origin.EventKind},
		{"source", l.Origin.Source},
		{"company_id", l.Origin.CompanyID},
		{"integration", l.Origin.Integration},
		{"model", l.Origin.Model},
		{"platform_id", l.Origin.PlatformID},
		{"source_operation", l.Origin.Operation},
	} {
		if p.value == "" {
			continue
		}
		dst = append(dst, ',')
		dst = appendString(dst, p.name)
		dst = append(dst, ':')
		dst = appendString(dst, p.value)
	}
	return append(dst, '}', '\n')
}

func renderTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (jsonl) identify(raw []byte) (identity, int64, bool) {
	var l struct {
		Object         string                `json:"object"`
		Key            json.RawMessage       `json:"key"`
		Operation      destination.Operation `json:"operation"`
		Version        int64                 `json:"version"`
		IdempotencyKey string                `json:"idempotency_key"`
	}
	if err := json.Unmarshal(raw, &l); err != nil || l.Operation == "" {
		return identity{}, 0, false
	}
	return identify(l.Operation, l.Object, l.Key, l.IdempotencyKey), l.Version, true
}

func (jsonl) complete(raw []byte) bool {
	return bytes.HasPrefix(raw, []byte("{")) && json.Valid(raw)
}
