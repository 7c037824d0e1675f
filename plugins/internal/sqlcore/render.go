package sqlcore

import (
	"fmt"
	"strings"
)

// Dialect is how a database that knows INSERT ... ON CONFLICT writes SQL.
type Dialect interface {
	// Table quotes the name of a table and puts its schema before it.
	Table(name string) string
	// Type returns the type of a column.
	Type(c Column) string
	// Now is an expression for the present instant.
	Now() string
	// Source says how a statement takes rows: a relation to select from, empty
	// where a statement takes one row at a time, and an expression per column.
	Source(columns []Column) (relation string, expressions []string)
}

// Quote quotes a name as the SQL standard says.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteAll(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = Quote(n)
	}
	return strings.Join(out, ", ")
}

// Render returns the SQL of a statement. Every row of the table that a statement
// writes gets _synced_at from the database.
func Render(d Dialect, s Statement) string {
	relation, expressions := d.Source(s.Columns)
	if s.Op == Delete {
		return renderDelete(d, s, relation, expressions)
	}
	names := make([]string, 0, len(s.Columns)+1)
	for _, c := range s.Columns {
		names = append(names, c.Name)
	}
	names = append(names, SyncedAt)
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s AS t (%s)\nSELECT %s, %s", d.Table(s.Table), quoteAll(names), strings.Join(expressions, ", "), d.Now())
	if relation != "" {
		b.WriteString("\nFROM " + relation)
	}
	// Without a WHERE, SQLite would take ON for the beginning of a join.
	b.WriteString("\nWHERE ")
	if s.Unless == "" {
		b.WriteString("true")
	} else {
		fmt.Fprintf(&b, "NOT EXISTS (SELECT 1 FROM %s AS d WHERE %s)", d.Table(s.Unless), matches(s, "d", ">", expressions))
	}
	fmt.Fprintf(&b, "\nON CONFLICT (%s) DO ", quoteAll(s.Key))
	if s.Op == Append {
		b.WriteString("NOTHING")
		return b.String()
	}
	set := make([]string, 0, len(names))
	for _, n := range names[len(s.Key):] {
		set = append(set, Quote(n)+" = excluded."+Quote(n))
	}
	// Invariant 3: a destination never goes back to an older version.
	fmt.Fprintf(&b, "UPDATE SET %s\nWHERE t.%[2]s <= excluded.%[2]s", strings.Join(set, ", "), Quote(Version))
	return b.String()
}

func renderDelete(d Dialect, s Statement, relation string, expressions []string) string {
	var b strings.Builder
	b.WriteString("DELETE FROM " + d.Table(s.Table) + " AS t")
	if relation != "" {
		b.WriteString("\nUSING " + relation)
	}
	b.WriteString("\nWHERE " + matches(s, "t", "<=", expressions))
	return b.String()
}

// matches compares a row of a table with a row of the source: the same key, and
// the version as said.
func matches(s Statement, alias, compare string, expressions []string) string {
	var terms []string
	for i, c := range s.Columns {
		switch {
		case i < len(s.Key):
			terms = append(terms, fmt.Sprintf("%s.%s = %s", alias, Quote(c.Name), expressions[i]))
		case c.Name == Version:
			terms = append(terms, fmt.Sprintf("%s.%s %s %s", alias, Quote(c.Name), compare, expressions[i]))
		}
	}
	return strings.Join(terms, " AND ")
}

// RenderCreate returns the SQL that makes a table.
func RenderCreate(d Dialect, table string, l Layout) string {
	lines := make([]string, 0, len(l.Columns)+1)
	for _, c := range l.Columns {
		lines = append(lines, RenderColumn(d, c))
	}
	for i := range l.Key {
		lines[i] += " NOT NULL" // the key's columns come first
	}
	lines = append(lines, "PRIMARY KEY ("+quoteAll(l.Key)+")")
	return "CREATE TABLE IF NOT EXISTS " + d.Table(table) + " (\n\t" + strings.Join(lines, ",\n\t") + "\n)"
}

// RenderColumn returns the definition of a column.
func RenderColumn(d Dialect, c Column) string {
	definition := Quote(c.Name) + " " + d.Type(c)
	if c.Name == Version {
		definition += " NOT NULL"
	}
	return definition
}
