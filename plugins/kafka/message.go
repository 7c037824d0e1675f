package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The headers of a message. They are public; only add to them.
const (
	headerVersion         = "sluice-version"
	headerOperation       = "sluice-operation"
	headerIdempotencyKey  = "sluice-idempotency-key"
	headerObject          = "sluice-object"
	headerOccurredAt      = "sluice-occurred-at"
	headerSource          = "sluice-source"
	headerCompanyID       = "sluice-company-id"
	headerIntegration     = "sluice-integration"
	headerModel           = "sluice-model"
	headerEventID         = "sluice-event-id"
	headerEventKind       = "sluice-event-kind"
	headerSourceOperation = "sluice-source-operation"
)

// deletedAt is the member of a value that stands for a delete.
const deletedAt = "_deleted_at"

// newMessage encodes a record. Its errors are the record's own fault and name no
// values.
func (d *kafka) newMessage(b *destination.Batch, r *destination.Record) (*kgo.Record, error) {
	if len(r.Key) != len(b.KeyFields) {
		return nil, fmt.Errorf("the record has %d key values for %d key fields", len(r.Key), len(b.KeyFields))
	}
	appends := b.Mode != destination.ModeRecords
	merged := r.Operation == destination.Upsert || r.Operation == destination.Delete
	if appends && r.Operation != destination.Append || !appends && !merged {
		return nil, errors.New("the record's operation does not fit the mode of its batch; is the plugin too old?")
	}
	topic, err := topicOf(d.options.topic, b.Object, r)
	if err != nil {
		return nil, err
	}
	m := &kgo.Record{Topic: topic, Key: d.messageKey(b, r), Headers: headers(b.Object, r)}
	if r.Operation == destination.Delete && !d.options.soft {
		return m, nil // a value of nil is a tombstone
	}
	m.Value, err = value(r)
	return m, err
}

// messageKey is a JSON object of the key fields, in their order. Where objects
// may share a topic it begins with the object. Its bytes are what compaction and
// partitions go by; never change them.
func (d *kafka) messageKey(b *destination.Batch, r *destination.Record) []byte {
	key := []byte{'{'}
	if !d.options.topic.Uses("object") {
		key = appendMember(key, "_object", b.Object)
	}
	for i, name := range b.KeyFields {
		key = appendMember(key, name, r.Key[i])
	}
	return append(key, '}')
}

func appendMember(dst []byte, name, value string) []byte {
	if len(dst) > 1 {
		dst = append(dst, ',')
	}
	dst = append(appendString(dst, name), ':')
	return appendString(dst, value)
}

// appendString adds a JSON string. Unlike json.Marshal it leaves <, > and & alone.
func appendString(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// value is the JSON object of the fields; numbers keep their text.
func value(r *destination.Record) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
		if r.Operation == destination.Delete && name == deletedAt {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(appendString(nil, name))
		b.WriteByte(':')
		raw := r.Fields[name]
		if len(raw) == 0 {
			raw = json.RawMessage("null")
		}
		// Compact checks the value and leaves numbers and strings as they are.
		if err := json.Compact(&b, raw); err != nil {
			return nil, fmt.Errorf("field %q is not JSON", name)
		}
	}
	if r.Operation == destination.Delete {
		at := appendMember([]byte{'{'}, deletedAt, renderTime(r.OccurredAt))[1:]
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(at)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func renderTime(t time.Time) string {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func headers(object string, r *destination.Record) []kgo.RecordHeader {
	var list []kgo.RecordHeader
	for _, h := range []struct{ name, value string }{
		{headerVersion, strconv.FormatInt(r.Version, 10)},
		{headerOperation, string(r.Operation)},
		{headerIdempotencyKey, r.IdempotencyKey},
		{headerObject, object},
		{headerSource, r.Origin.Source},
		{headerCompanyID, r.Origin.CompanyID},
		{headerIntegration, r.Origin.Integration},
		{headerModel, r.Origin.Model},
		{headerEventID, r.Origin.EventID},
		{headerEventKind, r.Origin.EventKind},
		{headerSourceOperation, r.Origin.Operation},
	} {
		if h.value != "" {
			list = append(list, kgo.RecordHeader{Key: h.name, Value: []byte(h.value)})
		}
	}
	if !r.OccurredAt.IsZero() {
		list = append(list, kgo.RecordHeader{Key: headerOccurredAt, Value: []byte(renderTime(r.OccurredAt))})
	}
	return list
}
