package parquetfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// Misfits is the column of values that do not fit the type of theirs, as a JSON
// object by name. In their own column they are null.
const Misfits = "_misfits"

// Row is the values of one row by column. Absent and null are the same.
type Row map[string]json.RawMessage

// Table is the form of a file.
type Table struct {
	Columns map[string]Kind
	Decimal Decimal
}

// rowsAtOnce bounds the memory of a write.
const rowsAtOnce = 1000

// Write writes a whole file. The same rows make the same bytes.
func (t Table) Write(w io.Writer, rows iter.Seq[Row]) error {
	kinds := maps.Clone(t.Columns)
	kinds[Misfits] = JSON
	group := parquet.Group{}
	for name, kind := range kinds {
		group[name] = parquet.Optional(kind.node(t.Decimal))
	}
	schema := parquet.NewSchema("record", group)
	names := make([]string, 0, len(kinds)) // in the order of the file's columns
	for _, path := range schema.Columns() {
		names = append(names, path[0])
	}
	misfits := slices.Index(names, Misfits)
	out := parquet.NewGenericWriter[any](w, schema, parquet.Compression(&parquet.Snappy), parquet.CreatedBy("sluice", "", ""))
	buffer := make([]parquet.Row, 0, rowsAtOnce)
	flush := func() error {
		_, err := out.WriteRows(buffer)
		buffer = buffer[:0]
		return err
	}
	for row := range rows {
		cells := make(parquet.Row, len(names))
		var bad []byte
		for i, name := range names {
			cells[i] = parquet.NullValue().Level(0, 0, i)
			raw := row[name]
			if isNull(raw) {
				continue
			}
			if v, ok := kinds[name].value(t.Decimal, raw); ok {
				cells[i] = v.Level(0, 1, i)
			} else {
				bad = appendMember(bad, name, raw)
			}
		}
		if bad != nil {
			cells[misfits] = parquet.ByteArrayValue(append(bad, '}')).Level(0, 1, misfits)
		}
		if buffer = append(buffer, cells); len(buffer) == rowsAtOnce {
			if err := flush(); err != nil {
				return fmt.Errorf("write Parquet: %w", err)
			}
		}
	}
	if err := flush(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

func appendMember(object []byte, name string, value json.RawMessage) []byte {
	if object == nil {
		object = []byte{'{'}
	} else {
		object = append(object, ',')
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(name) // a string always encodes
	object = append(object, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
	return append(append(object, ':'), value...)
}
