package part

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"

	"github.com/sluicehq/sluice/plugins/internal/parquetfile"
)

// Write writes the file. The same records make the same bytes.
func (p *Part) Write(w io.Writer) error {
	if p.parquet {
		return p.writeParquet(w)
	}
	return p.writeJSONL(w)
}

// writeJSONL writes one flat object per line: the key, the system columns, then
// the fields. An absent field is absent, which tells it from null.
func (p *Part) writeJSONL(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	first := slices.Concat(p.key, p.system)
	var line bytes.Buffer
	for _, r := range p.sorted() {
		line.Reset()
		line.WriteByte('{')
		member := func(name string) error {
			value := r.cells[name]
			if len(value) == 0 {
				return nil
			}
			if line.Len() > 1 {
				line.WriteByte(',')
			}
			line.Write(quote(name))
			line.WriteByte(':')
			// Compact takes line breaks out and leaves numbers and strings as they are.
			return json.Compact(&line, value)
		}
		for _, name := range first {
			if name == columnFields {
				continue // the members say it
			}
			if err := member(name); err != nil {
				return err
			}
		}
		for _, name := range slices.Sorted(maps.Keys(r.cells)) {
			if slices.Contains(first, name) {
				continue
			}
			if err := member(name); err != nil {
				return err
			}
		}
		line.WriteString("}\n")
		if _, err := out.Write(line.Bytes()); err != nil {
			return err
		}
	}
	return out.Flush()
}

// writeParquet gives the file a column for every field that the catalog knows,
// whether or not a record has it: files of one object go together without
// unions. What it does not know has a column where a record has it.
func (p *Part) writeParquet(w io.Writer) error {
	columns := map[string]parquetfile.Kind{}
	rows := p.sorted()
	for _, r := range rows {
		for name := range r.cells {
			columns[name] = parquetfile.JSON
		}
	}
	for name, t := range p.types {
		columns[p.column(name)] = parquetfile.KindOf(t)
	}
	for _, name := range p.key {
		columns[name] = parquetfile.Text
	}
	for _, name := range p.system {
		columns[name] = systemKinds[name]
	}
	return parquetfile.Table{Columns: columns, Decimal: p.decimal}.Write(w, func(yield func(parquetfile.Row) bool) {
		for _, r := range rows {
			if !yield(r.cells) {
				return
			}
		}
	})
}

// quote is a JSON string. Unlike json.Marshal it leaves <, > and & alone.
func quote(s string) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
