package main

import (
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// maxName is the longest name of a table or column, in bytes (NAMEDATALEN - 1).
const maxName = 63

// dialect writes PostgreSQL's SQL.
type dialect struct{ schema string }

// Names implements [sqlcore.Database].
func (dialect) Names() sqlcore.Names {
	return sqlcore.Names{
		MaxBytes: maxName,
		Reserved: []string{"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}, // every table has them
	}
}

// Digits implements [sqlcore.Database].
func (dialect) Digits() sqlcore.Digits { return sqlcore.AnyDigits }

// TakesAny implements [sqlcore.Database].
func (dialect) TakesAny(k sqlcore.Kind) bool {
	return k == sqlcore.Text || k == sqlcore.JSON || k == sqlcore.Other
}

// types are the columns that we make.
var types = map[sqlcore.Kind]string{
	sqlcore.Boolean:   "boolean",
	sqlcore.Number:    "numeric",
	sqlcore.Timestamp: "timestamptz",
	sqlcore.Text:      "text",
	sqlcore.JSON:      "jsonb",
	sqlcore.Integer:   "bigint",
}

// column says what a column is good for by its declared type. A type that is not
// ours is left to PostgreSQL.
func column(name, declared string) sqlcore.Column {
	c := sqlcore.Column{Name: name}
	switch declared {
	case "boolean":
		c.Kind = sqlcore.Boolean
	case "numeric":
		c.Kind = sqlcore.Number
	case "timestamp with time zone":
		c.Kind = sqlcore.Timestamp
	case "text":
		c.Kind = sqlcore.Text
	case "jsonb":
		c.Kind = sqlcore.JSON
	default:
		c.Kind, c.Type = sqlcore.Other, declared
		if strings.HasPrefix(declared, "character") {
			c.Kind, c.Type = sqlcore.Text, "" // a cast to varchar(n) would cut in silence
		}
	}
	return c
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

// Source implements [sqlcore.Dialect]: one array of text per column, cast in the
// server, so that a number is never a float on the way.
func (d dialect) Source(columns []sqlcore.Column) (string, []string) {
	var arrays, names, expressions []string
	for i, c := range columns {
		name := fmt.Sprintf("c%d", i+1)
		arrays = append(arrays, fmt.Sprintf("$%d::text[]", i+1))
		names = append(names, name)
		expression := "r." + name
		if c.Kind != sqlcore.Text {
			expression += "::" + d.Type(c)
		}
		expressions = append(expressions, expression)
	}
	return fmt.Sprintf("unnest(%s) AS r(%s)", strings.Join(arrays, ", "), strings.Join(names, ", ")), expressions
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
		value := name + "::text"
		if a.Widen.Kind == sqlcore.Timestamp {
			value = fmt.Sprintf(`to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`, name)
		}
		return []string{fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE text USING %s", d.Table(table), name, value)}
	}
}
