package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// message is the JSON of one record, change or event. Its form is public; only
// add to it.
type message struct {
	Type      string                     `json:"type"`
	ID        string                     `json:"id"` // the webhook-id of a request of its own
	Timestamp string                     `json:"timestamp,omitempty"`
	Object    string                     `json:"object"`
	Key       map[string]string          `json:"key"`
	Version   int64                      `json:"version"`
	Operation destination.Operation      `json:"operation"`
	Fields    map[string]json.RawMessage `json:"fields"`
	Changed   []string                   `json:"changed,omitempty"`
	Origin    origin                     `json:"origin"`
}

type origin struct {
	Source      string `json:"source,omitempty"`
	CompanyID   string `json:"company_id,omitempty"`
	Integration string `json:"integration,omitempty"`
	Model       string `json:"model,omitempty"`
	PlatformID  string `json:"platform_id,omitempty"`
	EventID     string `json:"event_id,omitempty"`
	EventKind   string `json:"event_kind,omitempty"`
	Operation   string `json:"operation,omitempty"`
}

// item is a record on its way: its place in the batch and its message, encoded.
type item struct {
	place int
	key   string // records of one key stay in order
	id    string
	body  []byte
}

// newItem encodes a record. Its errors are the record's own fault and name no
// values.
func newItem(b *destination.Batch, place int) (item, error) {
	r := &b.Records[place]
	if len(r.Key) != len(b.KeyFields) {
		return item{}, fmt.Errorf("the record has %d key values for %d key fields", len(r.Key), len(b.KeyFields))
	}
	appends := b.Mode != destination.ModeRecords
	merged := r.Operation == destination.Upsert || r.Operation == destination.Delete
	if appends && r.Operation != destination.Append || !appends && !merged {
		return item{}, errors.New("the record's operation does not fit the mode of its batch; is the plugin too old?")
	}
	id := messageID(b.Object, r)
	m := message{
		Type: messageType(b.Mode, r), ID: id, Object: b.Object, Key: map[string]string{}, Version: r.Version,
		Operation: r.Operation, Fields: map[string]json.RawMessage{}, Changed: r.Changed,
		Origin: origin(r.Origin),
	}
	if !r.OccurredAt.IsZero() {
		m.Timestamp = r.OccurredAt.UTC().Format(time.RFC3339Nano)
	}
	for i, name := range b.KeyFields {
		m.Key[name] = r.Key[i]
	}
	for name, value := range r.Fields {
		if len(value) == 0 {
			value = json.RawMessage("null")
		}
		if !json.Valid(value) {
			return item{}, fmt.Errorf("field %q is not JSON", name)
		}
		m.Fields[name] = value
	}
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return item{}, err
	}
	return item{
		place: place, id: id, body: bytes.TrimSuffix(body.Bytes(), []byte("\n")),
		key: strings.Join(r.Key, "\x00"),
	}, nil
}

// messageType is the dotted name that Standard Webhooks suggests.
func messageType(mode destination.Mode, r *destination.Record) string {
	switch mode {
	case destination.ModeRecords:
		if r.Operation == destination.Delete {
			return "record.deleted"
		}
		return "record.upserted"
	case destination.ModeChanges:
		switch strings.ToUpper(r.Origin.Operation) {
		case "CREATE":
			return "change.created"
		case "UPDATE":
			return "change.updated"
		case "DELETE":
			return "change.deleted"
		}
		return "change"
	default:
		if r.Origin.EventKind != "" {
			return "event." + r.Origin.EventKind
		}
		return "event"
	}
}

// messageID is the idempotency key where it fits into a header, and a hash of
// it where it does not. It is the same for every repetition.
func messageID(object string, r *destination.Record) string {
	id := r.IdempotencyKey
	if id == "" {
		id = fmt.Sprintf("%q %q %q %d", object, r.Key, r.Operation, r.Version)
	}
	plain := len(id) <= 256 && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c >= 0x7f })
	if plain {
		return id
	}
	return hash("msg_", id)
}

func hash(prefix string, texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	return prefix + hex.EncodeToString(h.Sum(nil)[:16])
}

// envelope is what one request carries.
func envelope(items []item, batch bool) (id string, body []byte) {
	if !batch {
		return items[0].id, items[0].body
	}
	ids, bodies := make([]string, len(items)), make([][]byte, len(items))
	for i, it := range items {
		ids[i], bodies[i] = it.id, it.body
	}
	body = append(body, '[')
	body = append(body, bytes.Join(bodies, []byte(","))...)
	return hash("batch_", ids...), append(body, ']')
}
