package main

import (
	"fmt"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// dialect writes SQLite's SQL.
type dialect struct{}

// Names implements [sqlcore.Database].
func (dialect) Names() sqlcore.Names { return sqlcore.Names{FoldsCase: true} }

// Digits implements [sqlcore.Database].
func (dialect) Digits() sqlcore.Digits { return sqlcore.AnyDigits }

// TakesAny implements [sqlcore.Database]: all columns but booleans hold text.
func (dialect) TakesAny(k sqlcore.Kind) bool { return k != sqlcore.Boolean }

// types are the columns that we make. TEXT in a type gives the column the
// affinity of text: a column of affinity NUMERIC would turn 1.10 into a float.
var types = map[sqlcore.Kind]string{
	sqlcore.Boolean:   "BOOLEAN",
	sqlcore.Number:    "DECIMAL TEXT",
	sqlcore.Timestamp: "TIMESTAMP TEXT",
	sqlcore.Text:      "TEXT",
	sqlcore.JSON:      "JSON TEXT",
	sqlcore.Integer:   "INTEGER",
}

// column says what a column is good for by its declared type. A type that is not
// ours takes plain text, which SQLite converts as that type's affinity says.
func column(name, declared string) sqlcore.Column {
	for kind, ours := range types {
		if declared == ours && kind != sqlcore.Integer {
			return sqlcore.Column{Name: name, Kind: kind}
		}
	}
	return sqlcore.Column{Name: name, Kind: sqlcore.Other, Type: declared}
}

// Table implements [sqlcore.Dialect].
func (dialect) Table(name string) string { return sqlcore.Quote(name) }

// Type implements [sqlcore.Dialect].
func (dialect) Type(c sqlcore.Column) string {
	if c.Kind == sqlcore.Other {
		return c.Type
	}
	return types[c.Kind]
}

// Now implements [sqlcore.Dialect].
func (dialect) Now() string { return `strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')` }

// Source implements [sqlcore.Dialect]: a statement takes one row at a time.
func (dialect) Source(columns []sqlcore.Column) (string, []string) {
	expressions := make([]string, len(columns))
	for i := range columns {
		expressions[i] = fmt.Sprintf("?%d", i+1)
	}
	return "", expressions
}

// Render implements [sqlcore.Database].
func (d dialect) Render(s sqlcore.Statement) string { return sqlcore.Render(d, s) }

// aside is the name of a column until it takes the place of another.
const aside = "_sluice_aside"

// RenderAlteration implements [sqlcore.Database]. SQLite cannot change the type of
// a column, so that widening puts a new column in its place. It drops the old one
// under its own name: SQLite refuses that where a view or an index uses it, and
// would let a renamed one go.
func (d dialect) RenderAlteration(table string, a sqlcore.Alteration) []string {
	alter := "ALTER TABLE " + d.Table(table)
	switch {
	case a.Create != nil:
		return []string{sqlcore.RenderCreate(d, table, *a.Create)}
	case a.Add != nil:
		return []string{alter + " ADD COLUMN " + sqlcore.RenderColumn(d, *a.Add)}
	default:
		old, wide := sqlcore.Quote(a.Widen.Name), sqlcore.Quote(aside)
		value := old
		if a.Widen.Kind == sqlcore.Boolean {
			value = fmt.Sprintf("CASE %s WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE %[1]s END", old)
		}
		return []string{
			fmt.Sprintf("%s ADD COLUMN %s TEXT", alter, wide),
			fmt.Sprintf("UPDATE %s SET %s = %s", d.Table(table), wide, value),
			fmt.Sprintf("%s DROP COLUMN %s", alter, old),
			fmt.Sprintf("%s RENAME COLUMN %s TO %s", alter, wide, old),
		}
	}
}
