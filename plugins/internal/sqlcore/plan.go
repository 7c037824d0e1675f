package sqlcore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/sluicehq/sluice/plugins/destination"
)

// cells are the values of one field in all rows.
type cells struct {
	column  Column
	values  []*string
	present []bool // an absent field leaves the column as it is; a null clears it
}

// plan is a batch of records as it will stand in a table.
type plan struct {
	target  *shape // the table once it is altered
	fields  []cells
	misfits map[int]Fault // rows with a value for a column that cannot be altered
	nulls   bool          // some clear a column that the table did not have
}

// refusals are the columns that the database did not let us add or widen.
type refusals map[string]Fault

// makePlan fits rows into the table, altering it where it must.
func makePlan(db Database, now *shape, l layout, types map[string]destination.FieldType, rows []*row, refused refusals) (*plan, error) {
	names := db.Names()
	p := &plan{target: now.clone(), misfits: map[int]Fault{}}
	if err := p.target.complete(l); err != nil {
		return nil, err
	}
	p.target.addCatalog(names, types, l, refused)
	for _, field := range fieldNames(rows) {
		c := p.target.column(names, field, l)
		fault, isRefused := refused[c.Name]
		if c.Kind == Unknown {
			if c.Kind = firstKind(db.Digits(), rows, field); c.Kind == Unknown {
				p.nulls = true
				continue // nothing but nulls: no column yet
			}
			if isRefused {
				p.misfit(rows, field, fault)
				continue
			}
		}
		f, misfits := fit(db, c, kinds[types[field]] == c.Kind, rows, field)
		if len(misfits) > 0 {
			if isRefused {
				for _, i := range misfits {
					p.misfits[i] = fault
				}
			} else {
				c = Column{Name: c.Name, Kind: Text}
				f, _ = fit(db, c, false, rows, field)
			}
		}
		p.target.put(c)
		p.fields = append(p.fields, f)
	}
	slices.SortFunc(p.fields, func(a, b cells) int { return cmp.Compare(a.column.Name, b.column.Name) })
	return p, nil
}

// misfit gives the fault to every row that has a value.
func (p *plan) misfit(rows []*row, field string, fault Fault) {
	for i, r := range rows {
		if !isNull(bytes.TrimSpace(r.fields[field])) {
			p.misfits[i] = fault
		}
	}
}

func fieldNames(rows []*row) []string {
	names := map[string]struct{}{}
	for _, r := range rows {
		for name := range r.fields {
			names[name] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func firstKind(n Digits, rows []*row, field string) Kind {
	for _, r := range rows {
		if raw := bytes.TrimSpace(r.fields[field]); !isNull(raw) {
			return judge(n, raw)
		}
	}
	return Unknown
}

// fit writes the values of a field as the column takes them, and lists the rows
// whose value does not fit.
func fit(db Database, c Column, lenient bool, rows []*row, field string) (cells, []int) {
	f := cells{column: c, values: make([]*string, len(rows)), present: make([]bool, len(rows))}
	texts := make([]string, len(rows))
	var misfits []int
	digits := db.Digits()
	calendar, hasCalendar := db.(Calendar)
	for i, r := range rows {
		var raw json.RawMessage
		if raw, f.present[i] = r.fields[field]; !f.present[i] {
			continue
		}
		if raw = bytes.TrimSpace(raw); isNull(raw) {
			continue
		}
		text, ok := encode(c.Kind, digits, lenient, raw)
		if hasCalendar && ok && c.Kind == Timestamp {
			ok = inYears(calendar, text)
		}
		if !ok && db.TakesAny(c.Kind) {
			text, ok = plain(raw), true
		}
		if !ok {
			misfits = append(misfits, i)
			continue
		}
		texts[i] = text
		f.values[i] = &texts[i]
	}
	return f, misfits
}

func inYears(c Calendar, text string) bool {
	first, last := c.Years()
	year, err := strconv.Atoi(text[:4])
	return err == nil && first <= year && year <= last
}

// statements upserts the given rows: one statement per set of fields that rows
// have. Rows are in order of their key in each.
func (p *plan) statements(l layout, rows []*row, selected []int, unless string) []Statement {
	groups := map[string][]int{}
	mask := make([]byte, len(p.fields))
	for _, i := range selected {
		for j := range p.fields {
			mask[j] = '0'
			if p.fields[j].present[i] {
				mask[j] = '1'
			}
		}
		groups[string(mask)] = append(groups[string(mask)], i)
	}
	out := make([]Statement, 0, len(groups))
	for _, mask := range slices.Sorted(maps.Keys(groups)) {
		s := upsert(l, rows, groups[mask], unless)
		for j := range p.fields {
			if mask[j] == '1' {
				s.Columns = append(s.Columns, p.fields[j].column)
				s.Values = append(s.Values, pick(p.fields[j].values, groups[mask]))
			}
		}
		out = append(out, s)
	}
	return out
}

// masked upserts the given rows in one statement, which says of each row what
// fields it has. A field that none of them has is left out.
func (p *plan) masked(l layout, rows []*row, selected []int, unless string) Statement {
	s := upsert(l, rows, selected, unless)
	masks := make([][]byte, len(selected))
	for at := range masks {
		masks[at] = bytes.Repeat([]byte{'1'}, len(s.Columns))
	}
	partial := false
	for _, f := range p.fields {
		has := func(i int) bool { return f.present[i] }
		if !slices.ContainsFunc(selected, has) {
			continue
		}
		for at, i := range selected {
			bit := byte('0')
			if has(i) {
				bit = '1'
			}
			masks[at] = append(masks[at], bit)
			partial = partial || bit == '0'
		}
		s.Columns = append(s.Columns, f.column)
		s.Values = append(s.Values, pick(f.values, selected))
	}
	if partial {
		for _, m := range masks {
			s.Masks = append(s.Masks, string(m))
		}
	}
	return s
}

func pick(values []*string, selected []int) []*string {
	out := make([]*string, len(selected))
	for at, i := range selected {
		out[at] = values[i]
	}
	return out
}

// upsert begins a statement with the columns that every row has.
func upsert(l layout, rows []*row, selected []int, unless string) Statement {
	s := Statement{Op: Upsert, Table: l.table, Key: l.key, Unless: unless}
	s.Columns, s.Values = keyAndVersion(l, rows, selected)
	deleted := make([]*string, len(selected))
	for at, i := range selected {
		deleted[at] = rows[i].deleted
	}
	s.Columns = append(s.Columns, l.fixed[len(l.key)+1])
	s.Values = append(s.Values, deleted)
	return s
}

// remove deletes rows that are not newer.
func remove(l layout, rows []*row, selected []int) Statement {
	s := Statement{Op: Delete, Table: l.table, Key: l.key}
	s.Columns, s.Values = keyAndVersion(l, rows, selected)
	return s
}

func keyAndVersion(l layout, rows []*row, selected []int) ([]Column, [][]*string) {
	values := make([][]*string, 0, len(l.key)+1)
	for k := range l.key {
		list := make([]*string, len(selected))
		for at, i := range selected {
			list[at] = &rows[i].key[k]
		}
		values = append(values, list)
	}
	versions := make([]*string, len(selected))
	for at, i := range selected {
		versions[at] = rows[i].versionText()
	}
	return slices.Clone(l.fixed[:len(l.key)+1]), append(values, versions)
}
