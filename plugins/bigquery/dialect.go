package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// dialect writes GoogleSQL. Rows come as a parameter: a JSON list of lists of
// text, so that no number is ever a float.
type dialect struct {
	dataset string // project.dataset
	// rows is the name of the parameter.
	rows string
}

// Names implements [sqlcore.Database].
func (dialect) Names() sqlcore.Names {
	return sqlcore.Names{
		MaxBytes: 128, FoldsCase: true,
		Allowed: func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) },
	}
}

// Digits implements [sqlcore.Database]: those of BIGNUMERIC.
func (dialect) Digits() sqlcore.Digits { return sqlcore.Digits{Whole: 38, Fraction: 38} }

// TakesAny implements [sqlcore.Database].
func (dialect) TakesAny(k sqlcore.Kind) bool {
	return k == sqlcore.Text || k == sqlcore.JSON || k == sqlcore.Other
}

// types are the columns that we make. JSON is kept as text: a column of type JSON
// would make floats of numbers, or refuse them.
var types = map[sqlcore.Kind]string{
	sqlcore.Boolean:   "BOOL",
	sqlcore.Number:    "BIGNUMERIC",
	sqlcore.Timestamp: "TIMESTAMP",
	sqlcore.Text:      "STRING",
	sqlcore.JSON:      "STRING",
	sqlcore.Integer:   "INT64",
}

// Quote implements [sqlcore.MergeDialect]. No name has a backtick: see Names.
func (dialect) Quote(name string) string { return "`" + name + "`" }

// Table implements [sqlcore.MergeDialect].
func (d dialect) Table(name string) string { return d.Quote(d.dataset + "." + name) }

// Type is the type of a column.
func (dialect) Type(c sqlcore.Column) string {
	if c.Kind == sqlcore.Other {
		return c.Type
	}
	return types[c.Kind]
}

// Now implements [sqlcore.MergeDialect].
func (dialect) Now() string { return "CURRENT_TIMESTAMP()" }

// Rows implements [sqlcore.MergeDialect].
func (d dialect) Rows(s sqlcore.Statement) string {
	items := make([]string, 0, len(s.Columns)+1)
	for i, c := range s.Columns {
		value := fmt.Sprintf("JSON_VALUE(r, '$[%d]')", i)
		if t := d.Type(c); t != "STRING" {
			value = fmt.Sprintf("CAST(%s AS %s)", value, t)
		}
		items = append(items, value+" AS "+sqlcore.RowName(i))
	}
	if len(s.Masks) > 0 {
		items = append(items, fmt.Sprintf("JSON_VALUE(r, '$[%d]') AS m", len(s.Columns)))
	}
	return fmt.Sprintf("SELECT %s FROM UNNEST(JSON_QUERY_ARRAY(@%s)) AS r", strings.Join(items, ", "), d.rows)
}

// Render implements [sqlcore.Database].
func (d dialect) Render(s sqlcore.Statement) string { return sqlcore.RenderMerge(d, s) }

// aside is the name of a column until it takes the place of another.
const aside = "_sluice_aside"

// RenderAlteration implements [sqlcore.Database]. BigQuery makes no text of a
// column of another type. A new column takes its place: the one ALTER that swaps
// the names is the moment at which the table changes.
func (d dialect) RenderAlteration(table string, a sqlcore.Alteration) []string {
	alter := "ALTER TABLE " + d.Table(table)
	switch {
	case a.Create != nil:
		return []string{d.create(table, *a.Create)}
	case a.Add != nil:
		return []string{alter + " ADD COLUMN IF NOT EXISTS " + d.definition(*a.Add, false)}
	default:
		old, wide := d.Quote(a.Widen.Name), d.Quote(aside)
		value := fmt.Sprintf("CAST(%s AS STRING)", old)
		if a.Widen.Kind == sqlcore.Timestamp {
			value = fmt.Sprintf("FORMAT_TIMESTAMP('%%Y-%%m-%%dT%%H:%%M:%%E6SZ', %s)", old)
		}
		return []string{
			alter + " DROP COLUMN IF EXISTS " + wide,
			alter + " ADD COLUMN " + wide + " STRING",
			fmt.Sprintf("UPDATE %s SET %s = %s WHERE TRUE", d.Table(table), wide, value),
			fmt.Sprintf("%s RENAME COLUMN %s TO %s, RENAME COLUMN %[3]s TO %[2]s", alter, old, wide),
			alter + " DROP COLUMN " + wide,
		}
	}
}

func (d dialect) create(table string, l sqlcore.Layout) string {
	lines := make([]string, 0, len(l.Columns)+1)
	for i, c := range l.Columns {
		lines = append(lines, d.definition(c, i < len(l.Key)))
	}
	keys := make([]string, len(l.Key))
	for i, name := range l.Key {
		keys[i] = d.Quote(name)
	}
	lines = append(lines, "PRIMARY KEY ("+strings.Join(keys, ", ")+") NOT ENFORCED")
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n\t%s\n)\nCLUSTER BY %s", d.Table(table), strings.Join(lines, ",\n\t"),
		strings.Join(keys[:min(len(keys), 4)], ", ")) // a table is clustered by four columns at most
}

func (d dialect) definition(c sqlcore.Column, required bool) string {
	text := d.Quote(c.Name) + " " + d.Type(c)
	if required || c.Name == sqlcore.Version {
		text += " NOT NULL"
	}
	return text
}
