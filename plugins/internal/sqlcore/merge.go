package sqlcore

import (
	"fmt"
	"strings"
)

// MergeDialect is how a database that knows MERGE writes SQL.
type MergeDialect interface {
	// Quote quotes a name.
	Quote(name string) string
	// Table quotes the name of a table and puts its schema before it.
	Table(name string) string
	// Now is an expression for the present instant.
	Now() string
	// Rows is a SELECT of the rows of a statement: the values of its columns as c1,
	// c2 and so on, of the columns' types, and the masks as m if it has any.
	Rows(s Statement) string
}

// RenderMerge returns the SQL of a statement. Every row of the table that a
// statement writes gets _synced_at from the database.
func RenderMerge(d MergeDialect, s Statement) string {
	source := d.Rows(s)
	if s.Unless != "" {
		source = fmt.Sprintf("SELECT r.* FROM (%s) AS r\n\tLEFT JOIN %s AS d ON %s AND d.%s > r.%s\n\tWHERE d.%s IS NULL",
			source, d.Table(s.Unless), sameKey(d, s, "d", "r"), d.Quote(Version), s.VersionName(), d.Quote(s.Key[0]))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "MERGE INTO %s AS t\nUSING (%s) AS s\nON %s", d.Table(s.Table), source, sameKey(d, s, "t", "s"))
	// Invariant 3: a destination never goes back to an older version.
	guard := fmt.Sprintf("t.%s <= s.%s", d.Quote(Version), s.VersionName())
	switch s.Op {
	case Delete:
		fmt.Fprintf(&b, "\nWHEN MATCHED AND %s THEN DELETE", guard)
		return b.String()
	case Upsert:
		set := make([]string, 0, len(s.Columns)+1)
		for i := len(s.Key); i < len(s.Columns); i++ {
			name := d.Quote(s.Columns[i].Name)
			set = append(set, name+" = "+s.Choose(i, "s."+RowName(i), "t."+name, "s.m"))
		}
		set = append(set, d.Quote(SyncedAt)+" = "+d.Now())
		fmt.Fprintf(&b, "\nWHEN MATCHED AND %s THEN UPDATE SET %s", guard, strings.Join(set, ", "))
	case Append:
	}
	names := make([]string, 0, len(s.Columns)+1)
	values := make([]string, 0, len(s.Columns)+1)
	for i, c := range s.Columns {
		names = append(names, d.Quote(c.Name))
		values = append(values, "s."+RowName(i))
	}
	names, values = append(names, d.Quote(SyncedAt)), append(values, d.Now())
	fmt.Fprintf(&b, "\nWHEN NOT MATCHED THEN INSERT (%s) VALUES (%s)", strings.Join(names, ", "), strings.Join(values, ", "))
	return b.String()
}

// Choose is the expression of a column's new value: that of the row, or what the
// table has where the row's mask leaves the column alone.
func (s Statement) Choose(i int, row, table, mask string) string {
	partial := false
	for _, m := range s.Masks {
		partial = partial || m[i] == '0'
	}
	if !partial {
		return row
	}
	return fmt.Sprintf("CASE WHEN SUBSTR(%s, %d, 1) = '1' THEN %s ELSE %s END", mask, i+1, row, table)
}

// RowName is the name of the i-th column in a relation of rows.
func RowName(i int) string { return fmt.Sprintf("c%d", i+1) }

// VersionName is the name of the version in a relation of rows.
func (s Statement) VersionName() string {
	for i, c := range s.Columns {
		if c.Name == Version {
			return RowName(i)
		}
	}
	return ""
}

func sameKey(d MergeDialect, s Statement, table, rows string) string {
	terms := make([]string, len(s.Key))
	for i, name := range s.Key {
		terms[i] = fmt.Sprintf("%s.%s = %s.%s", table, d.Quote(name), rows, RowName(i))
	}
	return strings.Join(terms, " AND ")
}
