package main

import (
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// dialect writes DuckDB's SQL.
type dialect struct{ schema string }

// Names implements [sqlcore.Database].
func (dialect) Names() sqlcore.Names {
	return sqlcore.Names{FoldsCase: true, Reserved: []string{"rowid"}}
}

// digits of DECIMAL(38,18), the widest number of DuckDB: 20 before the point take
// every 64-bit integer, and 18 after it every sum and rate that floats left behind.
var digits = sqlcore.Digits{Whole: 20, Fraction: 18}

// Digits implements [sqlcore.Database].
func (dialect) Digits() sqlcore.Digits { return digits }

// TakesAny implements [sqlcore.Database].
func (dialect) TakesAny(k sqlcore.Kind) bool {
	return k == sqlcore.Text || k == sqlcore.JSON || k == sqlcore.Other
}

// types are the columns that we make.
var types = map[sqlcore.Kind]string{
	sqlcore.Boolean:   "BOOLEAN",
	sqlcore.Number:    "DECIMAL(38,18)",
	sqlcore.Timestamp: "TIMESTAMP WITH TIME ZONE",
	sqlcore.Text:      "VARCHAR",
	sqlcore.JSON:      "JSON",
	sqlcore.Integer:   "BIGINT",
}

// column says what a column is good for by its declared type. A type that is not
// ours is left to DuckDB.
func column(name, declared string) sqlcore.Column {
	for kind, ours := range types {
		if declared == ours && kind != sqlcore.Integer {
			return sqlcore.Column{Name: name, Kind: kind}
		}
	}
	return sqlcore.Column{Name: name, Kind: sqlcore.Other, Type: declared}
}

// Table implements [sqlcore.Dialect].
func (d dialect) Table(name string) string {
	return sqlcore.Quote(d.schema) + "." + sqlcore.Quote(name)
}

// Type implements [sqlcore.Dialect].
func (dialect) Type(c sqlcore.Column) string {
	if c.Kind == sqlcore.Other {
		return c.Type
	}
	return types[c.Kind]
}

// Now implements [sqlcore.Dialect].
func (dialect) Now() string { return "now()" }

// Source implements [sqlcore.Dialect]: one list of text per column, cast by
// DuckDB, so that a number is never a float on the way. The list is JSON, because
// the driver knows no null in a list.
func (d dialect) Source(columns []sqlcore.Column) (string, []string) {
	lists := make([]string, len(columns))
	expressions := make([]string, len(columns))
	for i, c := range columns {
		lists[i] = fmt.Sprintf(`unnest(from_json($%[1]d, '["VARCHAR"]')) AS c%[1]d`, i+1)
		expressions[i] = fmt.Sprintf("r.c%d", i+1)
		if c.Kind != sqlcore.Text {
			expressions[i] += "::" + d.Type(c)
		}
	}
	return "(SELECT " + strings.Join(lists, ", ") + ") AS r", expressions
}

// Render implements [sqlcore.Database].
func (d dialect) Render(s sqlcore.Statement) string { return sqlcore.Render(d, s) }

// RenderAlteration implements [sqlcore.Database].
func (d dialect) RenderAlteration(table string, a sqlcore.Alteration) []string {
	switch {
	case a.Create != nil:
		return []string{sqlcore.RenderCreate(d, table, *a.Create)}
	case a.Add != nil:
		return []string{fmt.Sprintf("ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s", d.Table(table), sqlcore.RenderColumn(d, *a.Add))}
	default:
		name := sqlcore.Quote(a.Widen.Name)
		value := name + "::VARCHAR"
		switch a.Widen.Kind {
		case sqlcore.Number: // without the zeros that the scale adds
			value = fmt.Sprintf("rtrim(rtrim(%s, '0'), '.')", value)
		case sqlcore.Timestamp:
			value = fmt.Sprintf("strftime(%s AT TIME ZONE 'UTC', '%%Y-%%m-%%dT%%H:%%M:%%S.%%fZ')", name)
		}
		return []string{fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE VARCHAR USING %s", d.Table(table), name, value)}
	}
}
