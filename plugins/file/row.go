package main

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/sluicehq/sluice/plugins/destination"
)

// row is the current state of one record. A deleted one stays as a tombstone, so
// that a late write of an older version does not bring it back.
type row struct {
	object     string
	key        string // JSON object, in the order of the key fields
	version    int64
	deleted    bool
	occurredAt string
	fields     string // JSON object, names sorted
}

// id tells rows apart within a file.
func (r *row) id() string { return r.object + "\x00" + r.key }

// The system columns of a current-state file, besides the key fields.
const (
	columnVersion    = "_version"
	columnDeletedAt  = "_deleted_at"
	columnOccurredAt = "_occurred_at"
)

// columnName renames a field that has the name of a key field or system column.
func columnName(keyFields []string) func(string) string {
	taken := map[string]bool{columnVersion: true, columnDeletedAt: true, columnOccurredAt: true}
	for _, name := range keyFields {
		taken[name] = true
	}
	return func(name string) string {
		for taken[name] {
			name += "_"
		}
		return name
	}
}

func newRow(b *destination.Batch, r *destination.Record, rename func(string) string, soft bool) (row, error) {
	l, err := newLine(b, r, rename)
	if err != nil {
		return row{}, err
	}
	out := row{
		object: l.Object, key: string(l.Key), version: l.Version, deleted: r.Operation == destination.Delete,
		occurredAt: renderTime(r.OccurredAt), fields: string(l.Fields),
	}
	if out.deleted && !soft {
		out.fields = "{}" // a hard delete leaves no contents behind
	}
	return out, nil
}

// encode adds the row as a line of the journal or the snapshot.
func (r *row) encode(dst []byte) []byte {
	dst = append(dst, `{"object":`...)
	dst = appendString(dst, r.object)
	dst = append(dst, `,"key":`...)
	dst = append(dst, r.key...)
	dst = append(dst, `,"version":`...)
	dst = strconv.AppendInt(dst, r.version, 10)
	if r.deleted {
		dst = append(dst, `,"deleted":true`...)
	}
	dst = append(dst, `,"occurred_at":`...)
	dst = appendString(dst, r.occurredAt)
	dst = append(dst, `,"fields":`...)
	dst = append(dst, r.fields...)
	return append(dst, '}', '\n')
}

func decodeRow(raw []byte) (row, error) {
	var l struct {
		Object     string          `json:"object"`
		Key        json.RawMessage `json:"key"`
		Version    int64           `json:"version"`
		Deleted    bool            `json:"deleted"`
		OccurredAt string          `json:"occurred_at"`
		Fields     json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal(raw, &l); err != nil || len(l.Key) == 0 || len(l.Fields) == 0 {
		return row{}, errors.New("not a line of this destination's state")
	}
	return row{
		object: l.Object, key: string(l.Key), version: l.Version, deleted: l.Deleted,
		occurredAt: l.OccurredAt, fields: string(l.Fields),
	}, nil
}
