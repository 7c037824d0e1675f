package main

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// staging is the temporary table that rows come through, as text.
const staging = "sluice_rows"

// Render implements [sqlcore.Database]: what Write does for one statement.
func (d dialect) Render(s sqlcore.Statement) string {
	return strings.Join(append([]string{createStaging(s), insertStaging(s, 1)}, d.apply(s)...), ";\n\n")
}

// width is the length of a column that takes the values. What a query does with
// a wide column costs memory by its declared width.
func width(values []*string) int {
	n := 16
	for _, v := range values {
		for v != nil && len(*v) > n {
			n *= 2
		}
	}
	return min(n, maxText)
}

func createStaging(s sqlcore.Statement) string {
	columns := make([]string, 0, len(s.Columns)+1)
	for i := range s.Columns {
		columns = append(columns, fmt.Sprintf("%s varchar(%d)", sqlcore.RowName(i), width(s.Values[i])))
	}
	if len(s.Masks) > 0 {
		columns = append(columns, fmt.Sprintf("m varchar(%d)", len(s.Columns)))
	}
	return fmt.Sprintf("CREATE TEMP TABLE %s (%s)", staging, strings.Join(columns, ", "))
}

// insertStaging inserts so many rows.
func insertStaging(s sqlcore.Statement, rows int) string {
	columns := stagedColumns(s)
	var b strings.Builder
	b.WriteString("INSERT INTO " + staging + " VALUES ")
	for row := range rows {
		if row > 0 {
			b.WriteString(", ")
		}
		for i := range columns {
			separator := ", "
			if i == 0 {
				separator = "("
			}
			fmt.Fprintf(&b, "%s$%d", separator, row*columns+i+1)
		}
		b.WriteByte(')')
	}
	return b.String()
}

func stagedColumns(s sqlcore.Statement) int {
	if len(s.Masks) > 0 {
		return len(s.Columns) + 1
	}
	return len(s.Columns)
}

// apply brings what is staged into the table, and removes the staging.
func (d dialect) apply(s sqlcore.Statement) []string {
	table := d.Table(s.Table)
	same := func(table string) string {
		terms := make([]string, len(s.Key))
		for i, name := range s.Key {
			terms[i] = fmt.Sprintf("%s.%s = r.%s", table, sqlcore.Quote(name), sqlcore.RowName(i))
		}
		return strings.Join(terms, " AND ")
	}
	version := "r." + s.VersionName() + "::bigint"
	// Invariant 3: a destination never goes back to an older version.
	notNewer := fmt.Sprintf("%s.%s <= %s", table, sqlcore.Quote(sqlcore.Version), version)
	drop := "DROP TABLE " + staging
	if s.Op == sqlcore.Delete {
		return []string{fmt.Sprintf("DELETE FROM %s USING %s AS r\nWHERE %s AND %s", table, staging, same(table), notNewer), drop}
	}
	var names, values, set []string
	for i, c := range s.Columns {
		name, value := sqlcore.Quote(c.Name), d.value(i, c)
		names, values = append(names, name), append(values, value)
		if i >= len(s.Key) {
			set = append(set, name+" = "+s.Choose(i, value, table+"."+name, "r.m"))
		}
	}
	names, values = append(names, sqlcore.Quote(sqlcore.SyncedAt)), append(values, d.Now())
	set = append(set, sqlcore.Quote(sqlcore.SyncedAt)+" = "+d.Now())
	var out []string
	if s.Unless != "" {
		// A row that is there has no newer tombstone, so that only inserts need this;
		// an UPDATE takes no outer join.
		graves := d.Table(s.Unless)
		out = append(out, fmt.Sprintf("DELETE FROM %s USING %s WHERE %s AND %s.%s > %s.%s::bigint", staging, graves,
			strings.ReplaceAll(same(graves), "r.c", staging+".c"), graves, sqlcore.Quote(sqlcore.Version), staging, s.VersionName()))
	}
	if s.Op == sqlcore.Upsert {
		out = append(out, fmt.Sprintf("UPDATE %s SET %s\nFROM %s AS r\nWHERE %s AND %s", table, strings.Join(set, ", "), staging, same(table), notNewer))
	}
	return append(out, fmt.Sprintf("INSERT INTO %s (%s)\nSELECT %s\nFROM %s AS r LEFT JOIN %s AS t ON %s\nWHERE t.%s IS NULL",
		table, strings.Join(names, ", "), strings.Join(values, ", "), staging, table, same("t"), sqlcore.Quote(s.Key[0])), drop)
}

// value is the staged text as the type of its column.
func (d dialect) value(i int, c sqlcore.Column) string {
	staged := "r." + sqlcore.RowName(i)
	switch c.Kind {
	case sqlcore.Boolean:
		return staged + " = 'true'" // Redshift casts no varchar to boolean
	case sqlcore.Text, sqlcore.JSON:
		return staged
	default:
		return staged + "::" + d.Type(c)
	}
}

// tooLong is a value that no column of Redshift takes.
type tooLong struct{ column string }

func (e *tooLong) Error() string {
	return fmt.Sprintf("the value for column %q is longer than the %d bytes that Redshift stores", e.column, maxText)
}

// text is a value as it is staged.
func text(c sqlcore.Column, value *string) (*string, error) {
	if value == nil {
		return nil, nil
	}
	switch s := *value; {
	case len(s) > maxText:
		return nil, &tooLong{c.Name}
	case c.Kind == sqlcore.Number && strings.ContainsAny(s, "eE"):
		n, _, err := apd.NewFromString(s)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		s = n.Text('f')
		return &s, nil
	}
	return value, nil
}
