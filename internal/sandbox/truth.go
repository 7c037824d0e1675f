package sandbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
)

// Record is what a receiver must hold of one record in the end.
type Record struct {
	CompanyID   string `json:"company_id"`
	Integration string `json:"integration_type"`
	Model       string `json:"data_model"`
	PlatformID  string `json:"platform_id"`
	Deleted     bool   `json:"deleted"`
	// Fields holds the newest value of every field that was said since the last
	// DELETE, in canonical form (no white space, object keys sorted, shortest
	// escapes, numbers as sent); platform_id is one of them. Of a deleted record: the last value
	// ever said of each field.
	Fields map[string]json.RawMessage `json:"fields"`
}

// Count is what was sent of one data model.
type Count struct {
	Model     string `json:"data_model"`
	Webhooks  int    `json:"webhooks"`
	Changes   int    `json:"changes"`   // elements of data
	Unchanged int    `json:"unchanged"` // changes that said nothing new
	Deletes   int    `json:"deletes"`   // changes that are DELETEs
	Records   int    `json:"records"`   // alive in the end
	Deleted   int    `json:"deleted"`   // deleted in the end
}

// truth is the state that the webhooks amount to. It reads them in the order in
// which they were created, so it needs no stamps: the last word counts.
type truth struct {
	records map[truthKey]*said
	counts  map[string]*Count
}

type truthKey struct{ company, model, platformID string }

type said struct {
	integration string
	fields      []saidField
	deleted     bool
}

type saidField struct {
	field
	buried bool // said before the last DELETE
}

func newTruth() *truth {
	return &truth{records: make(map[truthKey]*said), counts: make(map[string]*Count)}
}

func (t *truth) apply(ev *Event) {
	if ev.Type != DataModelChanges {
		return
	}
	n := t.counts[ev.Model]
	if n == nil {
		n = &Count{Model: ev.Model}
		t.counts[ev.Model] = n
	}
	n.Webhooks++
	for _, ch := range ev.changes {
		key := truthKey{ev.CompanyID, ev.Model, ch.record.platformID}
		s, known := t.records[key]
		if !known {
			s = &said{integration: ev.Integration}
			t.records[key] = s
		}
		news := s.hear(ch.fields, ev.Operation == opDelete) || !known
		n.Changes++
		if !news {
			n.Unchanged++
		}
		if ev.Operation == opDelete {
			n.Deletes++
		}
	}
}

// hear takes one change in and reports whether it was news.
func (s *said) hear(fields []field, isDelete bool) bool {
	news := s.deleted != isDelete
	if s.deleted && !isDelete {
		for i := range s.fields {
			s.fields[i].buried = true
		}
	}
	s.deleted = isDelete
	for _, f := range fields {
		i := slices.IndexFunc(s.fields, func(k saidField) bool { return k.name == f.name })
		switch {
		case i < 0:
			s.fields = append(s.fields, saidField{field: f})
		case s.fields[i].buried || !bytes.Equal(s.fields[i].value, f.value):
			s.fields[i] = saidField{field: f}
		default:
			continue
		}
		news = true
	}
	return news
}

// expected lists the records by company, model and id.
func (t *truth) expected() []Record {
	out := make([]Record, 0, len(t.records))
	for key, s := range t.records {
		r := Record{
			CompanyID: key.company, Integration: s.integration, Model: key.model, PlatformID: key.platformID,
			Deleted: s.deleted, Fields: make(map[string]json.RawMessage, len(s.fields)),
		}
		for _, f := range s.fields {
			if s.deleted || !f.buried {
				r.Fields[f.name] = canonical(f.value)
			}
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.CompanyID, b.CompanyID), cmp.Compare(a.Model, b.Model), cmp.Compare(a.PlatformID, b.PlatformID))
	})
	return out
}

// totals lists what was sent, by model in the order of their dependencies.
func (t *truth) totals() []Count {
	alive, deleted := make(map[string]int), make(map[string]int)
	for key, s := range t.records {
		if s.deleted {
			deleted[key.model]++
		} else {
			alive[key.model]++
		}
	}
	var out []Count
	for _, model := range models {
		if n := t.counts[model]; n != nil {
			c := *n
			c.Records, c.Deleted = alive[model], deleted[model]
			out = append(out, c)
		}
	}
	return out
}

// canonical sorts the keys of nested objects and writes escapes in their
// shortest form; other scalars are canonical to begin with.
func canonical(raw json.RawMessage) json.RawMessage {
	if raw[0] != '{' && raw[0] != '[' && !bytes.ContainsRune(raw, '\\') {
		return raw
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic("sandbox: wrote invalid JSON: " + err.Error())
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("sandbox: rewrite JSON: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
