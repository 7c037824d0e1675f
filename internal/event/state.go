package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
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
	names := make([]string, 0, len(r.Fields))
	for name, f := range r.Fields {
		names = append(names, name)
		size += 2*len(name) + len(f.Value) + 8
	}
	slices.Sort(names)

	b := append(make([]byte, 0, size), '{')
	b = appendStamp(b, "w", r.Written)
	b = appendStamp(b, "t", r.Tombstone)
	quoted := make([][]byte, len(names))
	if len(names) > 0 {
		b = append(b, `"g":[`...)
		for i, name := range names {
			var err error
			if quoted[i], err = quote(name); err != nil {
				return nil, err
			}
		}
		b = r.appendGroups(b, names, quoted)
		b = append(b, `],"f":{`...)
		for i, name := range names {
			b = append(b, quoted[i]...)
			b = append(b, ':')
			b = append(b, r.Fields[name].Value...)
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

// appendGroups writes the largest group first, without its names, and then the
// others in the order of their first names.
func (r *Record) appendGroups(b []byte, names []string, quoted [][]byte) []byte {
	type groupKey struct {
		Stamp
		version int64
	}
	var order []groupKey
	members := make(map[groupKey][]int, 4)
	for i, name := range names {
		f := r.Fields[name]
		k := groupKey{f.Stamp, f.Version}
		if members[k] == nil {
			order = append(order, k)
			members[k] = make([]int, 0, len(names)-i)
		}
		members[k] = append(members[k], i)
	}
	largest := order[0]
	for _, k := range order {
		if len(members[k]) > len(members[largest]) {
			largest = k
		}
	}
	begin := func(k groupKey) {
		b = append(b, '[')
		b = appendInts(b, k.At, k.Seq, k.Index, k.version)
	}
	begin(largest)
	b = append(b, ']')
	for _, k := range order {
		if k == largest {
			continue
		}
		b = append(b, ',')
		begin(k)
		for j, at := range members[k] {
			if j == 0 {
				b = append(b, ',', '[')
			} else {
				b = append(b, ',')
			}
			b = append(b, quoted[at]...)
		}
		b = append(b, ']', ']')
	}
	return b
}

func quote(name string) ([]byte, error) {
	b := make([]byte, 0, len(name)+2)
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, '"')
	if isPlain(b) {
		return b, nil
	}
	return marshalRaw(name)
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
