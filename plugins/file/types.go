package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile"
)

// columnTypes are the catalog's types of the columns of a current-state file. A
// batch brings them, and the file is rewritten after a restart too, so they are
// kept beside the state.
type columnTypes struct {
	name    string
	decimal parquetfile.Decimal
	byName  map[string]destination.FieldType
}

func typesName(name string) string { return sideFolder + "/" + name + ".types" }

func readTypes(root *os.Root, name string, decimal parquetfile.Decimal) (*columnTypes, error) {
	t := &columnTypes{name: name, decimal: decimal, byName: map[string]destination.FieldType{}}
	raw, err := root.ReadFile(typesName(name))
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &t.byName); err != nil { // renamed into place only when whole
		return nil, fmt.Errorf("read %s: %w", typesName(name), err)
	}
	return t, nil
}

// check reports a number that the columns cannot hold.
func (t *columnTypes) check(b *destination.Batch, r *destination.Record) error {
	if t == nil {
		return nil
	}
	for name, value := range r.Fields {
		if b.Types[name] != destination.TypeNumber {
			continue
		}
		if err := t.decimal.Check(value); err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
	}
	return nil
}

// learn keeps the types of a batch, durably.
func (t *columnTypes) learn(root *os.Root, b *destination.Batch, rename func(string) string) error {
	if t == nil {
		return nil
	}
	next := maps.Clone(t.byName)
	for name, kind := range b.Types {
		next[rename(name)] = kind
	}
	if maps.Equal(next, t.byName) {
		return nil
	}
	raw, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if _, err := replaceFile(root, typesName(t.name), func(w *bufio.Writer) error { _, err := w.Write(raw); return err }); err != nil {
		return fmt.Errorf("write %s: %w", typesName(t.name), err)
	}
	t.byName = next
	return nil
}

// export writes the rows as Parquet, with a column for every field that the
// catalog knows and for every other one that a row has.
func (t *columnTypes) export(w *bufio.Writer, rows []row) error {
	columns := map[string]parquetfile.Kind{}
	members := make([]parquetfile.Row, len(rows))
	for i, r := range rows {
		cells := parquetfile.Row{}
		if err := json.Unmarshal([]byte(r.fields), &cells); err != nil {
			return fmt.Errorf("state of a record: %w", err)
		}
		for name := range cells {
			columns[name] = parquetfile.JSON
		}
		members[i] = cells
	}
	for name, kind := range t.byName {
		columns[name] = parquetfile.KindOf(kind)
	}
	for i, r := range rows {
		var key parquetfile.Row
		if err := json.Unmarshal([]byte(r.key), &key); err != nil {
			return fmt.Errorf("state of a record: %w", err)
		}
		for name, value := range key {
			columns[name] = parquetfile.Text
			members[i][name] = value
		}
		members[i][columnVersion] = fmt.Append(nil, r.version)
		at := microseconds(r.occurredAt)
		if r.occurredAt != "" {
			members[i][columnOccurredAt] = at
		}
		if r.deleted {
			members[i][columnDeletedAt] = at
		}
	}
	columns[columnVersion] = parquetfile.Integer
	columns[columnOccurredAt], columns[columnDeletedAt] = parquetfile.Timestamp, parquetfile.Timestamp
	return parquetfile.Table{Columns: columns, Decimal: t.decimal}.Write(w, func(yield func(parquetfile.Row) bool) {
		for _, m := range members {
			if !yield(m) {
				return
			}
		}
	})
}

// microseconds cuts what the column cannot hold. No moment is the epoch: a
// deleted row must have one.
func microseconds(text string) json.RawMessage {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		at = time.Unix(0, 0)
	}
	return appendString(nil, renderTime(at.Truncate(time.Microsecond)))
}
