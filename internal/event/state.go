package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// state is the stored form of a record. It is JSON so that it can be read with
// the database's own shell. Most fields of a record share one stamp, so stamps
// are stored once per group of fields. Stored; add to it, never rename.
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

func (g group) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{g.At, g.Seq, g.Index, g.Version, g.Names})
}

func (g *group) UnmarshalJSON(b []byte) error {
	parts := []any{&g.At, &g.Seq, &g.Index, &g.Version, &g.Names}
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 5 {
		return fmt.Errorf("stamp group has %d elements, want 5", len(parts))
	}
	return nil
}

func packStamp(s Stamp) *[3]int64 {
	if s.IsZero() {
		return nil
	}
	return &[3]int64{s.At, s.Seq, s.Index}
}

func unpackStamp(p *[3]int64) Stamp {
	if p == nil {
		return Stamp{}
	}
	return Stamp{At: p[0], Seq: p[1], Index: p[2]}
}

// EncodeState returns the stored form of everything but the key and the
// version, which a store keeps in columns of their own.
func (r *Record) EncodeState() ([]byte, error) {
	type groupKey struct {
		Stamp
		version int64
	}
	names := make(map[groupKey][]string, 4)
	s := state{
		Written:   packStamp(r.Written),
		Tombstone: packStamp(r.Tombstone),
		Fields:    make(map[string]json.RawMessage, len(r.Fields)),
	}
	for name, f := range r.Fields {
		k := groupKey{f.Stamp, f.Version}
		names[k] = append(names[k], name)
		s.Fields[name] = f.Value
	}
	for k, fields := range names {
		slices.Sort(fields)
		s.Groups = append(s.Groups, group{k.At, k.Seq, k.Index, k.version, fields})
	}
	slices.SortFunc(s.Groups, func(a, b group) int { return strings.Compare(a.Names[0], b.Names[0]) })
	return marshalRaw(s)
}

// DecodeState fills the record from its stored form; the caller sets key and version.
func (r *Record) DecodeState(b []byte) error {
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("decode stored record: %w", err)
	}
	r.Written, r.Tombstone = unpackStamp(s.Written), unpackStamp(s.Tombstone)
	r.Fields = make(map[string]Field, len(s.Fields))
	for _, g := range s.Groups {
		for _, name := range g.Names {
			value, ok := s.Fields[name]
			if !ok {
				return fmt.Errorf("decode stored record: field %q has a stamp and no value", name)
			}
			r.Fields[name] = Field{Value: value, Stamp: Stamp{g.At, g.Seq, g.Index}, Version: g.Version}
		}
	}
	if len(r.Fields) != len(s.Fields) {
		return fmt.Errorf("decode stored record: %d values but %d stamps", len(s.Fields), len(r.Fields))
	}
	return nil
}
