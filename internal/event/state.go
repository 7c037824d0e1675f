package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The stored form of a record is JSON, so that it can be read with the
// database's own shell:
//
//	{"w":[at,seq,index],"t":[at,seq,index],"g":[[at,seq,index,version],[at,seq,index,version,["b"]]],"f":{"a":1,"b":2,"c":3}}
//
// w is the stamp of the last write, t the tombstone, and f the values. Most
// fields of a record share one stamp, so stamps are stored once per group of
// fields, in g. The first group has all fields that no other one names. Stored;
// add to it, never rename.
type state struct {
	Written   *[3]int64                  `json:"w,omitempty"`
	Tombstone *[3]int64                  `json:"t,omitempty"`
	Groups    []group                    `json:"g,omitempty"`
	Fields    map[string]json.RawMessage `json:"f,omitempty"`
}

type group struct {
	At, Seq, Index, Version int64
	Names                   []string
}

func (g group) field() Field {
	return Field{Stamp: Stamp{g.At, g.Seq, g.Index}, Version: g.Version}
}

func (g *group) UnmarshalJSON(b []byte) error {
	parts := []any{&g.At, &g.Seq, &g.Index, &g.Version, &g.Names}
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 4 && len(parts) != 5 {
		return fmt.Errorf("stamp group has %d elements, want 4 or 5", len(parts))
	}
	return nil
}

func unpackStamp(p *[3]int64) Stamp {
	if p == nil {
		return Stamp{}
	}
	return Stamp{At: p[0], Seq: p[1], Index: p[2]}
}

// EncodeState returns the stored form of everything but the key and the
// version, which a store keeps in columns of their own. Every record is encoded
// for every change, so it is written by hand: the values are JSON already.
func (r *Record) EncodeState() ([]byte, error) {
	size := 64
	entries := make([]entry, 0, len(r.Fields))
	for name, f := range r.Fields {
		entries = append(entries, entry{name, f})
		size += len(name) + len(f.Value) + 4
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })

	b := append(make([]byte, 0, size), '{')
	b = appendStamp(b, "w", r.Written)
	b = appendStamp(b, "t", r.Tombstone)
	if len(entries) > 0 {
		var err error
		if b, err = appendGroups(append(b, `"g":[`...), entries); err != nil {
			return nil, err
		}
		b = append(b, `],"f":{`...)
		for i := range entries {
			if b, err = appendName(b, entries[i].name); err != nil {
				return nil, err
			}
			b = append(b, ':')
			b = append(b, entries[i].Value...)
			b = append(b, ',')
		}
		b[len(b)-1] = '}'
		b = append(b, ',')
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(b, '}'), nil
}

// entry is a field with its name.
type entry struct {
	name string
	Field
}

func appendStamp(b []byte, name string, s Stamp) []byte {
	if s.IsZero() {
		return b
	}
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, `":[`...)
	return append(appendInts(b, s.At, s.Seq, s.Index), ']', ',')
}

func appendInts(b []byte, values ...int64) []byte {
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, v, 10)
	}
	return b
}

type groupKey struct {
	Stamp
	version int64
}

func (e *entry) group() groupKey { return groupKey{e.Stamp, e.Version} }

// appendGroups writes the largest group first, without its names, and then the
// others in the order of their first names.
func appendGroups(b []byte, entries []entry) ([]byte, error) {
	largest := entries[0].group()
	begin := func(k groupKey) {
		b = append(b, '[')
		b = appendInts(b, k.At, k.Seq, k.Index, k.version)
	}
	if !slices.ContainsFunc(entries, func(e entry) bool { return e.group() != largest }) { // most records
		begin(largest)
		return append(b, ']'), nil
	}

	var order []groupKey
	members := make(map[groupKey][]int, 4)
	for i := range entries {
		k := entries[i].group()
		if members[k] == nil {
			order = append(order, k)
			members[k] = make([]int, 0, len(entries)-i)
		}
		members[k] = append(members[k], i)
	}
	for _, k := range order {
		if len(members[k]) > len(members[largest]) {
			largest = k
		}
	}
	begin(largest)
	b = append(b, ']')
	for _, k := range order {
		if k == largest {
			continue
		}
		b = append(b, ',')
		begin(k)
		separator := byte('[')
		b = append(b, ',')
		for _, at := range members[k] {
			b = append(b, separator)
			separator = ','
			var err error
			if b, err = appendName(b, entries[at].name); err != nil {
				return nil, err
			}
		}
		b = append(b, ']', ']')
	}
	return b, nil
}

// appendName appends the name in quotes.
func appendName(b []byte, name string) ([]byte, error) {
	begin := len(b)
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, '"')
	if isPlain(b[begin:]) {
		return b, nil
	}
	quoted, err := marshalRaw(name)
	return append(b[:begin], quoted...), err
}

// DecodeState fills the record from its stored form; the caller sets key and
// version. The values share memory with b.
func (r *Record) DecodeState(b []byte) error {
	if r.scanState(b) {
		return nil
	}
	// Not as this version writes it: a newer one may have added to it.
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("decode stored record: %w", err)
	}
	r.Written, r.Tombstone = unpackStamp(s.Written), unpackStamp(s.Tombstone)
	var err error
	r.Fields, err = s.fields()
	return err
}

func (s *state) fields() (map[string]Field, error) {
	out := make(map[string]Field, len(s.Fields))
	var rest *Field
	for i, g := range s.Groups {
		f := g.field()
		if i == 0 && g.Names == nil {
			rest = &f
		}
		for _, name := range g.Names {
			value, ok := s.Fields[name]
			if !ok {
				return nil, fmt.Errorf("decode stored record: field %q has a stamp and no value", name)
			}
			f.Value = value
			out[name] = f
		}
	}
	for name, value := range s.Fields {
		if _, ok := out[name]; ok {
			continue
		}
		if rest == nil {
			return nil, fmt.Errorf("decode stored record: field %q has a value and no stamp", name)
		}
		rest.Value = value
		out[name] = *rest
	}
	return out, nil
}
