package main

import (
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

const (
	// maxName is the longest name of a table or column in bytes. Redshift takes 127;
	// the tables are called as in PostgreSQL.
	maxName = 63
	// maxText is the longest text that a column takes, in bytes.
	maxText = 65535
	// lockTable is what writers lock to take turns. Locking the table that they
	// write would make its readers wait too.
	lockTable = "_sluice_lock"
)

// dialect writes Redshift's SQL.
type dialect struct{ schema string }

// Names implements [sqlcore.Database].
func (dialect) Names() sqlcore.Names {
	return sqlcore.Names{
		MaxBytes: maxName,
		// Every table has them.
		Reserved: []string{"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "oid", "deletexid", "insertxid"},
	}
}

// Digits implements [sqlcore.Database]: those of decimal(38,18).
func (dialect) Digits() sqlcore.Digits { return sqlcore.Digits{Whole: 20, Fraction: 18} }

// TakesAny implements [sqlcore.Database].
func (dialect) TakesAny(k sqlcore.Kind) bool {
	return k == sqlcore.Text || k == sqlcore.JSON || k == sqlcore.Other
}

// types are the columns that we make. JSON is kept as text: SUPER would make
// floats of some numbers.
var types = map[sqlcore.Kind]string{
	sqlcore.Boolean:   "boolean",
	sqlcore.Number:    "decimal(38,18)",
	sqlcore.Timestamp: "timestamptz",
	sqlcore.Text:      "varchar(65535)",
	sqlcore.JSON:      "varchar(65535)",
	sqlcore.Integer:   "bigint",
}

// column says what a column is good for by what the catalog says of it.
func column(name, declared, precision, scale string) sqlcore.Column {
	c := sqlcore.Column{Name: name, Kind: sqlcore.Other, Type: declared}
	switch {
	case declared == "boolean":
		c.Kind = sqlcore.Boolean
	case declared == "numeric" && precision == "38" && scale == "18":
		c.Kind = sqlcore.Number
	case declared == "numeric" && precision != "":
		c.Type = fmt.Sprintf("decimal(%s,%s)", precision, scale)
	case declared == "timestamp with time zone":
		c.Kind = sqlcore.Timestamp
	case strings.HasPrefix(declared, "character"):
		c.Kind = sqlcore.Text
	}
	if c.Kind != sqlcore.Other {
		c.Type = ""
	}
	return c
}

// Table quotes the name of a table and puts its schema before it.
func (d dialect) Table(name string) string {
	return sqlcore.Quote(d.schema) + "." + sqlcore.Quote(name)
}

// Type is the type of a column.
func (dialect) Type(c sqlcore.Column) string {
	if c.Kind == sqlcore.Other {
		return c.Type
	}
	return types[c.Kind]
}

// Now implements [sqlcore.Dialect]. CURRENT_TIMESTAMP is for the leader node only.
func (dialect) Now() string { return "GETDATE()" }

// RenderAlteration implements [sqlcore.Database]. Redshift cannot make text of a
// column of another type, so that a new column takes its place. The old one is
// dropped under its own name, which fails where a view uses it.
func (d dialect) RenderAlteration(table string, a sqlcore.Alteration) []string {
	alter := "ALTER TABLE " + d.Table(table)
	switch {
	case a.Create != nil:
		return []string{d.create(table, *a.Create)}
	case a.Add != nil:
		return []string{alter + " ADD COLUMN " + d.definition(*a.Add)}
	default:
		old, wide := sqlcore.Quote(a.Widen.Name), sqlcore.Quote("_sluice_aside")
		return []string{
			alter + " ADD COLUMN " + wide + " " + types[sqlcore.Text],
			fmt.Sprintf("UPDATE %s SET %s = %s", d.Table(table), wide, asText(a.Widen.Kind, old)),
			alter + " DROP COLUMN " + old,
			alter + " RENAME COLUMN " + wide + " TO " + old,
		}
	}
}

// asText is a value as the text that other databases widen it to.
func asText(k sqlcore.Kind, name string) string {
	switch k {
	case sqlcore.Boolean:
		return fmt.Sprintf("CASE WHEN %s THEN 'true' WHEN NOT %[1]s THEN 'false' END", name)
	case sqlcore.Number: // without the zeros that fill the scale
		return fmt.Sprintf("TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM %s::varchar(64)))", name)
	case sqlcore.Timestamp:
		return fmt.Sprintf(`TO_CHAR(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`, name)
	default:
		return name + "::varchar(65535)"
	}
}

func (d dialect) create(table string, l sqlcore.Layout) string {
	lines := make([]string, 0, len(l.Columns)+1)
	for i, c := range l.Columns {
		line := d.definition(c)
		if i < len(l.Key) {
			line += " NOT NULL" // the key's columns come first
		}
		lines = append(lines, line)
	}
	key := make([]string, len(l.Key))
	for i, name := range l.Key {
		key[i] = sqlcore.Quote(name)
	}
	lines = append(lines, "PRIMARY KEY ("+strings.Join(key, ", ")+")") // for the planner; not enforced
	return "CREATE TABLE IF NOT EXISTS " + d.Table(table) + " (\n\t" + strings.Join(lines, ",\n\t") + "\n)"
}

func (d dialect) definition(c sqlcore.Column) string {
	text := sqlcore.Quote(c.Name) + " " + d.Type(c)
	if c.Name == sqlcore.Version {
		text += " NOT NULL"
	}
	return text
}
