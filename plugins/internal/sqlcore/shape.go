package sqlcore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// The columns of our own in record tables.
const (
	Version   = "_version"
	DeletedAt = "_deleted_at"
	SyncedAt  = "_synced_at"
)

// appendColumns are the columns of tables that events and changes are appended
// to.
var appendColumns = []Column{
	{Name: "_idempotency_key", Kind: Text},
	{Name: "_source", Kind: Text},
	{Name: "_company_id", Kind: Text},
	{Name: "_integration_type", Kind: Text},
	{Name: "_model", Kind: Text},
	{Name: "_platform_id", Kind: Text},
	{Name: "_event_id", Kind: Text},
	{Name: "_event_kind", Kind: Text},
	{Name: "_operation", Kind: Text},
	{Name: "_sequence", Kind: Integer},
	{Name: "_occurred_at", Kind: Timestamp},
	{Name: SyncedAt, Kind: Timestamp},
	{Name: "body", Kind: JSON},
}

// layout is what a table must have whatever the fields are.
type layout struct {
	table string
	key   []string
	fixed []Column // the key's columns come first
	taken []string // names that no field's column may have, in lower case
}

func recordLayout(table string, keyFields []string) layout {
	l := layout{table: table, key: keyFields, taken: []string{Version, DeletedAt, SyncedAt}}
	for _, name := range keyFields {
		l.fixed = append(l.fixed, Column{Name: name, Kind: Text})
		l.taken = append(l.taken, lower(name))
	}
	l.fixed = append(l.fixed, Column{Name: Version, Kind: Integer},
		Column{Name: DeletedAt, Kind: Timestamp}, Column{Name: SyncedAt, Kind: Timestamp})
	return l
}

func appendLayout(table string) layout {
	return layout{table: table, key: []string{appendColumns[0].Name}, fixed: appendColumns}
}

// shape is a table as it is, or as it will be.
type shape struct {
	exists  bool
	columns map[string]Column
	folded  map[string]string // lower case to the name that a column has
	read    time.Time
	buries  bool // there is a table of tombstones
}

func newShape(columns []Column) *shape {
	s := &shape{exists: len(columns) > 0, columns: map[string]Column{}, folded: map[string]string{}}
	for _, c := range columns {
		s.put(c)
	}
	return s
}

func (s *shape) clone() *shape {
	c := *s
	c.columns, c.folded = maps.Clone(s.columns), maps.Clone(s.folded)
	return &c
}

// settled returns the shape as that of a table which is there.
func (s *shape) settled() *shape {
	c := *s
	c.exists = true
	return &c
}

func (s *shape) put(c Column) {
	s.columns[c.Name] = c
	s.folded[lower(c.Name)] = c.Name
}

// errForeign says that the table is not one of ours.
var errForeign = errors.New("exists, but was not made by Sluice")

// complete adds the fixed columns that are missing. A table without a key column
// is somebody else's.
func (s *shape) complete(l layout) error {
	for i, c := range l.fixed {
		if _, ok := s.columns[c.Name]; ok {
			continue
		}
		if s.exists && (i < len(l.key) || c.Name == Version) {
			return fmt.Errorf("table %q %w: it has no column %q: rename that table or use another schema", l.table, errForeign, c.Name)
		}
		s.put(c)
	}
	return nil
}

// column returns the column of a field, of kind Unknown if it does not exist yet.
// Where case is folded, the field that came first has its own name, and others
// that differ in case only get a hash.
func (s *shape) column(n Names, field string, l layout) Column {
	name := n.column(field, l.taken)
	if c, ok := s.columns[name]; ok {
		return c
	}
	if _, ok := s.folded[lower(name)]; ok && n.FoldsCase {
		name = n.unlike(field)
		if c, ok := s.columns[name]; ok {
			return c
		}
	}
	return Column{Name: name}
}

// addCatalog adds the columns of the fields that the catalog knows.
func (s *shape) addCatalog(n Names, types map[string]destination.FieldType, l layout, refused refusals) {
	for _, field := range slices.Sorted(maps.Keys(types)) {
		c := s.column(n, field, l)
		if _, no := refused[c.Name]; no || c.Kind != Unknown || kinds[types[field]] == Unknown {
			continue
		}
		c.Kind = kinds[types[field]]
		s.put(c)
	}
}

// alterations lists what makes the table become the target.
func (s *shape) alterations(target *shape, l layout) []Alteration {
	if !s.exists {
		columns := slices.Clone(l.fixed)
		for _, name := range slices.Sorted(maps.Keys(target.columns)) {
			if !slices.ContainsFunc(l.fixed, func(c Column) bool { return c.Name == name }) {
				columns = append(columns, target.columns[name])
			}
		}
		return []Alteration{{Create: &Layout{Columns: columns, Key: l.key}}}
	}
	var out []Alteration
	for _, name := range slices.Sorted(maps.Keys(target.columns)) {
		want := target.columns[name]
		if have, ok := s.columns[name]; !ok {
			out = append(out, Alteration{Add: &want})
		} else if have.Kind != want.Kind {
			out = append(out, Alteration{Widen: &have})
		}
	}
	return out
}
