package event

import (
	"bytes"
	"encoding/json"
)

// Field is the newest value that was ever said of one field.
type Field struct {
	Value   json.RawMessage
	Stamp   Stamp
	Version int64 // of the record, when what destinations see of this field last changed
}

// Record is the merged state of all changes to one key.
//
// A field older than the tombstone is gone: it does not come back when the
// record is revived. Its last value is kept all the same, so that a soft-deleted
// row in a destination reads the same whether the DELETE came before or after
// the changes that it buried.
type Record struct {
	Key       RecordKey
	Version   int64 // 0 before the first change; grows by one per real change
	Fields    map[string]Field
	Written   Stamp // largest stamp of a CREATE or UPDATE
	Tombstone Stamp // largest stamp of a DELETE; zero if there was none
}

// Deleted reports whether the record is deleted: no CREATE or UPDATE is newer
// than its tombstone.
func (r *Record) Deleted() bool {
	return !r.Tombstone.IsZero() && !r.Written.After(r.Tombstone)
}

// Live reports whether the field is part of the living record.
func (r *Record) Live(f Field) bool { return f.Stamp.After(r.Tombstone) }

// Content returns what the record says now: its living fields, or nothing when
// it is deleted.
func (r *Record) Content() map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(r.Fields))
	if r.Deleted() {
		return out
	}
	for name, f := range r.Fields {
		if r.Live(f) {
			out[name] = f.Value
		}
	}
	return out
}

var null = json.RawMessage("null")

// Visible returns what destinations are told. Of a living record: its fields,
// with an explicit null for each field that a DELETE took away. Of a deleted
// record: the last values known.
func (r *Record) Visible() map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(r.Fields))
	deleted := r.Deleted()
	for name, f := range r.Fields {
		out[name] = r.visible(f, deleted)
	}
	return out
}

// Told returns one of the fields that [Record.Visible] returns.
func (r *Record) Told(name string) (json.RawMessage, bool) {
	f, ok := r.Fields[name]
	if !ok {
		return nil, false
	}
	return r.visible(f, r.Deleted()), true
}

func (r *Record) visible(f Field, deleted bool) json.RawMessage {
	return visible(f, deleted, r.Tombstone)
}

func visible(f Field, deleted bool, tombstone Stamp) json.RawMessage {
	if deleted || f.Stamp.After(tombstone) {
		return f.Value
	}
	return null
}

// ChangedSince lists the fields whose visible value changed after the given
// version: what a destination that has that version does not know yet.
func (r *Record) ChangedSince(version int64) []string {
	var out []string
	for name, f := range r.Fields {
		if f.Version > version {
			if out == nil {
				out = make([]string, 0, len(r.Fields))
			}
			out = append(out, name)
		}
	}
	return out
}

// Merge takes the changes into the record and reports whether anything that
// destinations see changed; then the version has grown by one, however many
// changes it took. All changes must carry the record's key. The order of changes
// does not matter, and a change may be given twice.
//
// Invariant 2: order does not matter.
func (r *Record) Merge(changes ...Change) bool {
	wasNew := r.Version == 0
	wasDeleted, oldTombstone := r.Deleted(), r.Tombstone
	// What destinations were told of the fields that changes may have altered;
	// nil for a field that is new. Most changes repeat most values.
	var before map[string]json.RawMessage
	if r.Fields == nil {
		size := 0
		for _, c := range changes {
			size = max(size, len(c.Fields))
		}
		r.Fields = make(map[string]Field, size)
	}
	next := r.Version + 1

	for _, c := range changes {
		if c.Operation == Delete {
			if c.Stamp.After(r.Tombstone) {
				r.Tombstone = c.Stamp
			}
		} else if c.Stamp.After(r.Written) {
			r.Written = c.Stamp
		}
		// A DELETE may carry fields as well: the last values of what it buries.
		for name, value := range c.Fields {
			f, ok := r.Fields[name]
			if ok && !c.Stamp.After(f.Stamp) {
				continue
			}
			if _, noted := before[name]; !noted && !wasNew {
				var old json.RawMessage
				if ok {
					old = visible(f, wasDeleted, oldTombstone)
				}
				if old == nil || !bytes.Equal(old, value) {
					if before == nil {
						before = make(map[string]json.RawMessage)
					}
					before[name] = old
				}
			}
			if wasNew {
				f.Version = next
			}
			r.Fields[name] = Field{Value: value, Stamp: c.Stamp, Version: f.Version}
		}
	}

	deleted := r.Deleted()
	changed := wasNew && len(changes) > 0 || deleted != wasDeleted
	compare := func(name string, f Field, old json.RawMessage) {
		if old == nil || !bytes.Equal(old, r.visible(f, deleted)) {
			f.Version = next
			r.Fields[name] = f
			changed = true
		}
	}
	switch {
	case wasNew: // nothing was told before, and all fields have the version
	case deleted != wasDeleted || r.Tombstone != oldTombstone:
		for name, f := range r.Fields {
			old, noted := before[name]
			if !noted {
				old = visible(f, wasDeleted, oldTombstone)
			}
			compare(name, f, old)
		}
	default:
		for name, old := range before {
			compare(name, r.Fields[name], old)
		}
	}
	if changed {
		r.Version = next
	}
	return changed
}
