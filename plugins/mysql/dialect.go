package main

import (
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// dialect writes the SQL of MariaDB and of MySQL, which differ in names.
type dialect struct {
	collation string // tells all texts apart, also by case and by spaces at their end
	text      string // of columns of a JSON_TABLE
}

var (
	mariaDB = dialect{collation: "utf8mb4_nopad_bin", text: "LONGTEXT CHARACTER SET utf8mb4"}
	mySQL8  = dialect{collation: "utf8mb4_0900_bin", text: "LONGTEXT"}
)

// Names of columns fold case.
func (dialect) Names() sqlcore.Names { return sqlcore.Names{MaxBytes: 64, FoldsCase: true} }

// digits of DECIMAL(65,30), the widest number.
var digits = sqlcore.Digits{Whole: 35, Fraction: 30}

// jsonComment marks a column of JSON. The type JSON of MySQL would make floats of
// the numbers in it.
const jsonComment = "JSON"

// types are the columns that we make. A TIMESTAMP would end in 2038.
var types = map[sqlcore.Kind]string{
	sqlcore.Boolean:   "tinyint(1)",
	sqlcore.Number:    "decimal(65,30)",
	sqlcore.Timestamp: "datetime(6)",
	sqlcore.Text:      "longtext",
	sqlcore.JSON:      "longtext COMMENT '" + jsonComment + "'",
	sqlcore.Integer:   "bigint",
}

// column says what a column is good for by its declared type. A type that is not
// ours is left to the server. MySQL reports bigint without a width, MariaDB with one.
func column(name, declared, comment string) sqlcore.Column {
	c := sqlcore.Column{Name: name}
	switch declared {
	case "tinyint(1)":
		c.Kind = sqlcore.Boolean
	case "decimal(65,30)":
		c.Kind = sqlcore.Number
	case "datetime(6)":
		c.Kind = sqlcore.Timestamp
	case "longtext":
		if c.Kind = sqlcore.Text; comment == jsonComment {
			c.Kind = sqlcore.JSON
		}
	default:
		c.Kind, c.Type = sqlcore.Other, declared
	}
	return c
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
func (dialect) Now() string { return "UTC_TIMESTAMP(6)" }

// Source implements [sqlcore.Dialect]: one JSON list with a list of text per row.
// The columns that take the text convert it, so that a number is never a float.
func (d dialect) Source(columns []sqlcore.Column) (string, []string) {
	paths := make([]string, len(columns))
	expressions := make([]string, len(columns))
	for i, c := range columns {
		paths[i] = fmt.Sprintf("c%d %s PATH '$[%d]'", i+1, d.text, i)
		expressions[i] = fmt.Sprintf("r.c%d", i+1)
		switch c.Kind {
		case sqlcore.Boolean:
			expressions[i] += " = 'true'"
		case sqlcore.Timestamp:
			expressions[i] = fmt.Sprintf("STR_TO_DATE(%s, '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ')", expressions[i])
		}
	}
	return "JSON_TABLE(?, '$[*]' COLUMNS (" + strings.Join(paths, ", ") + ")) AS r", expressions
}

// render writes a statement. ON DUPLICATE KEY UPDATE has no condition, so that each
// assignment has one; they are carried out in their order and see what was assigned
// before them, so that the version comes last. A row that met another one by a
// unique index of somebody else gets no version, which is an error.
func (d dialect) render(s sqlcore.Statement) string {
	relation, expressions := d.Source(s.Columns)
	table := d.Table(s.Table)
	if s.Op == sqlcore.Delete {
		return fmt.Sprintf("DELETE t FROM %s AS t JOIN %s\nON %s", table, relation, d.matches(s, "t", "<=", expressions))
	}
	names := make([]string, 0, len(s.Columns)+1)
	for _, c := range s.Columns {
		names = append(names, sqlcore.Quote(c.Name))
	}
	names = append(names, sqlcore.Quote(sqlcore.SyncedAt))
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s)\nSELECT %s, %s\nFROM %s", table, strings.Join(names, ", "), strings.Join(expressions, ", "), d.Now(), relation)
	if s.Unless != "" {
		fmt.Fprintf(&b, "\nWHERE NOT EXISTS (SELECT 1 FROM %s AS d WHERE %s)", d.Table(s.Unless), d.matches(s, "d", ">", expressions))
	}
	key := make([]string, len(s.Key))
	for i, k := range s.Key {
		key[i] = fmt.Sprintf("VALUES(%s) = %s.%[1]s", sqlcore.Quote(k), table)
	}
	same := strings.Join(key, " AND ")
	if s.Op == sqlcore.Append {
		fmt.Fprintf(&b, "\nON DUPLICATE KEY UPDATE %s = IF(%s, %s.%[1]s, NULL)", sqlcore.Quote(s.Key[0]), same, table)
		return b.String()
	}
	version := sqlcore.Quote(sqlcore.Version)
	var set []string
	for _, n := range names[len(s.Key):] {
		if n != version {
			// Invariant 3: a destination never goes back to an older version.
			set = append(set, fmt.Sprintf("%s = IF(VALUES(%s) >= %s.%[2]s, VALUES(%[1]s), %[3]s.%[1]s)", n, version, table))
		}
	}
	set = append(set, fmt.Sprintf("%[1]s = IF(%[2]s, GREATEST(VALUES(%[1]s), %[3]s.%[1]s), NULL)", version, same, table))
	b.WriteString("\nON DUPLICATE KEY UPDATE " + strings.Join(set, ", "))
	return b.String()
}

// matches compares a row of a table with a row of the source: the same key, and
// the version as said.
func (d dialect) matches(s sqlcore.Statement, alias, compare string, expressions []string) string {
	var terms []string
	for i, c := range s.Columns {
		switch {
		case i < len(s.Key):
			terms = append(terms, fmt.Sprintf("%s.%s = %s COLLATE %s", alias, sqlcore.Quote(c.Name), expressions[i], d.collation))
		case c.Name == sqlcore.Version:
			terms = append(terms, fmt.Sprintf("%s.%s %s CAST(%s AS SIGNED)", alias, sqlcore.Quote(c.Name), compare, expressions[i]))
		}
	}
	return strings.Join(terms, " AND ")
}

// maxKey is how many characters the columns of a key have together: an index takes
// 3072 bytes, and a character four.
const maxKey = 765

func (d dialect) alteration(table string, a sqlcore.Alteration) []string {
	alter := "ALTER TABLE " + d.Table(table)
	switch {
	case a.Create != nil:
		return []string{d.create(table, *a.Create)}
	case a.Add != nil:
		return []string{alter + " ADD COLUMN " + sqlcore.RenderColumn(d, *a.Add)}
	default:
		return d.widen(alter, table, *a.Widen)
	}
}

func (d dialect) create(table string, l sqlcore.Layout) string {
	lines := make([]string, 0, len(l.Columns)+1)
	key := make([]string, len(l.Key))
	for i, c := range l.Columns {
		if i < len(l.Key) { // the key's columns come first
			key[i] = sqlcore.Quote(c.Name)
			lines = append(lines, fmt.Sprintf("%s varchar(%d) NOT NULL", key[i], maxKey/len(l.Key)))
			continue
		}
		lines = append(lines, sqlcore.RenderColumn(d, c))
	}
	lines = append(lines, "PRIMARY KEY ("+strings.Join(key, ", ")+")")
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n\t%s\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=%s", d.Table(table), strings.Join(lines, ",\n\t"), d.collation)
}

// widen changes the type of a column, and then what is in it where the server
// writes it otherwise: numbers get the zeros of their scale, instants a space.
func (d dialect) widen(alter, table string, c sqlcore.Column) []string {
	name := sqlcore.Quote(c.Name)
	out := []string{fmt.Sprintf("%s MODIFY COLUMN %s longtext", alter, name)}
	update := "UPDATE " + d.Table(table) + " SET " + name + " = "
	switch c.Kind {
	case sqlcore.Boolean:
		return append(out, update+"IF("+name+" = '0', 'false', 'true') WHERE "+name+" IN ('0', '1')")
	case sqlcore.Number:
		return append(out, update+fmt.Sprintf("TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM %[1]s)) WHERE %[1]s LIKE '%%.%%'", name))
	case sqlcore.Timestamp:
		return append(out, update+fmt.Sprintf("CONCAT(REPLACE(%[1]s, ' ', 'T'), 'Z') WHERE %[1]s LIKE '____-__-__ __:__:__.______'", name))
	default:
		return out
	}
}
