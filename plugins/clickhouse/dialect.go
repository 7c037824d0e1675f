package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// dialect writes ClickHouse's SQL.
type dialect struct {
	database string
	// modern is a server with the types Bool and DateTime64: 21.12 and newer. Older
	// ones get an enumeration and text.
	modern bool
}

// Names implements [sqlcore.Database]. A column is a file on the server, with its
// name escaped.
func (dialect) Names() sqlcore.Names { return sqlcore.Names{MaxBytes: 64} }

// digits of Decimal(38, 18), which every server has.
var digits = sqlcore.Digits{Whole: 20, Fraction: 18}

// Digits implements [sqlcore.Database].
func (dialect) Digits() sqlcore.Digits { return digits }

// Years implements [sqlcore.Calendar]: what DateTime64 takes; it changes others in
// silence.
func (d dialect) Years() (first, last int) {
	if d.modern {
		return 1900, 2261
	}
	return 1, 9999
}

// TakesAny implements [sqlcore.Database].
func (d dialect) TakesAny(k sqlcore.Kind) bool {
	return k == sqlcore.Text || k == sqlcore.Other
}

// inner are the types of columns that we make, which are all nullable but for keys
// and versions.
func (d dialect) inner(k sqlcore.Kind) string {
	switch k {
	case sqlcore.Boolean:
		if d.modern {
			return "Bool"
		}
		return "Enum8('false' = 0, 'true' = 1)"
	case sqlcore.Number:
		return "Decimal(38, 18)"
	case sqlcore.Timestamp:
		if d.modern {
			return "DateTime64(6, 'UTC')"
		}
		return "String"
	case sqlcore.Integer:
		return "UInt64"
	default:
		return "String"
	}
}

// The comments that tell columns of one type apart.
const (
	jsonComment    = "JSON"
	instantComment = "date and time"
)

func (d dialect) comment(k sqlcore.Kind) string {
	switch {
	case k == sqlcore.JSON:
		return " COMMENT '" + jsonComment + "'"
	case k == sqlcore.Timestamp && !d.modern:
		return " COMMENT '" + instantComment + "'"
	default:
		return ""
	}
}

// column says what a column is good for by its type. A type that is not ours is
// left to ClickHouse.
func (d dialect) column(name, declared, comment string) sqlcore.Column {
	if declared == "Nullable(String)" {
		switch comment {
		case jsonComment:
			return sqlcore.Column{Name: name, Kind: sqlcore.JSON}
		case instantComment:
			return sqlcore.Column{Name: name, Kind: sqlcore.Timestamp}
		default:
			return sqlcore.Column{Name: name, Kind: sqlcore.Text}
		}
	}
	for _, k := range []sqlcore.Kind{sqlcore.Boolean, sqlcore.Number, sqlcore.Timestamp} {
		if declared == "Nullable("+d.inner(k)+")" {
			return sqlcore.Column{Name: name, Kind: k}
		}
	}
	return sqlcore.Column{Name: name, Kind: sqlcore.Other, Type: declared}
}

// quote quotes a name. Older servers know no doubled quotes.
func quote(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

func (d dialect) table(name string) string { return quote(d.database) + "." + quote(name) }

// view is the name of the view of what lives.
func view(table string) string { return table + "_current" }

func (d dialect) typed(c sqlcore.Column) string {
	if c.Kind == sqlcore.Other {
		return c.Type
	}
	return "Nullable(" + d.inner(c.Kind) + ")"
}

// now is the present instant as a column of instants has it.
func (d dialect) now() string {
	if d.modern {
		return "now64(6, 'UTC')"
	}
	return "formatDateTime(now(), '%Y-%m-%dT%H:%M:%S.000000Z', 'UTC')"
}

// rows is the table of text that comes with a statement, a column for each of the
// statement's.
const rows = "_sluice_rows"

func source(i int) string { return fmt.Sprintf("_sluice_%d", i+1) }

// value converts the text of a column, in the server, so that a number is never a
// float on the way.
func (d dialect) value(i int, c sqlcore.Column, key bool) string {
	switch {
	case key:
		return "assumeNotNull(" + source(i) + ")"
	case c.Name == sqlcore.Version:
		return "toUInt64(assumeNotNull(" + source(i) + "))"
	case c.Kind == sqlcore.Text, c.Kind == sqlcore.JSON, c.Kind == sqlcore.Timestamp && !d.modern:
		return source(i)
	case c.Kind == sqlcore.Timestamp:
		return "parseDateTime64BestEffort(" + source(i) + ", 6, 'UTC')"
	case c.Kind == sqlcore.Other:
		return "CAST(" + source(i) + " AS " + d.typed(c) + ")"
	default: // older servers try to read what is under a null, and find nothing
		blank := "0"
		if c.Kind == sqlcore.Boolean {
			blank = "false"
		}
		return fmt.Sprintf("if(isNull(%[1]s), NULL, CAST(ifNull(%[1]s, '%s') AS %s))", source(i), blank, d.inner(c.Kind))
	}
}

// Render implements [sqlcore.Database].
func (d dialect) Render(s sqlcore.Statement) string { return d.render(s, nil) }

// render writes a statement. ClickHouse has no upsert: the row with the highest
// version takes the place of the others, as a whole. So a row that is there and not
// newer lends the new one the values of the columns that the statement lacks.
func (d dialect) render(s sqlcore.Statement, others []sqlcore.Column) string {
	var names, inserted, values, keys, sources, old []string
	version := ""
	for i, c := range s.Columns {
		key := i < len(s.Key)
		names = append(names, quote(c.Name))
		inserted = append(inserted, fmt.Sprintf("_sluice_new_%d", i+1))
		values = append(values, d.value(i, c, key)+" AS "+inserted[i])
		if key {
			keys = append(keys, names[i])
			sources = append(sources, d.value(i, c, key))
			old = append(old, names[i]+" AS "+inserted[i])
		}
		if c.Name == sqlcore.Version {
			version = inserted[i]
		}
	}
	table, join := d.table(s.Table), strings.Join(inserted[:len(s.Key)], ", ")
	names, inserted = append(names, quote(sqlcore.SyncedAt)), append(inserted, d.now())
	old = append(old, quote(sqlcore.Version)+" AS _sluice_old")
	for i, c := range others {
		name := fmt.Sprintf("_sluice_old_%d", i+1)
		names, inserted = append(names, quote(c.Name)), append(inserted, name)
		old = append(old, quote(c.Name)+" AS "+name)
	}
	list := func(parts []string) string { return strings.Join(parts, ", ") }
	there := "(" + list(keys) + ") IN (SELECT " + list(sources) + " FROM " + rows + ")"
	out := "INSERT INTO " + table + " (" + list(names) + ")\nSELECT " + list(inserted) + "\nFROM (SELECT " + list(values) + " FROM " + rows + ")"
	if s.Op == sqlcore.Append {
		return out + "\nWHERE " + join + " NOT IN (SELECT " + list(keys) + " FROM " + table + " WHERE " + there + ")"
	}
	return out + "\nANY LEFT JOIN (SELECT " + list(old) + " FROM " + table + " FINAL WHERE " + there + ") USING (" + join + ")" +
		"\nWHERE _sluice_old <= " + version
}

// RenderAlteration implements [sqlcore.Database].
func (d dialect) RenderAlteration(table string, a sqlcore.Alteration) []string {
	out := d.alteration(table, a)
	if a.Create == nil || isRecords(a.Create.Columns) {
		out = append(out, d.renewView(table)...)
	}
	return out
}

// isRecords reports whether a table has one row per record.
func isRecords(columns []sqlcore.Column) bool {
	return slices.ContainsFunc(columns, func(c sqlcore.Column) bool { return c.Name == sqlcore.Version })
}

// alteration is without the view.
func (d dialect) alteration(table string, a sqlcore.Alteration) []string {
	alter := "ALTER TABLE " + d.table(table)
	switch {
	case a.Create != nil:
		return []string{d.create(table, *a.Create)}
	case a.Add != nil:
		return []string{alter + " ADD COLUMN " + d.definition(*a.Add)}
	}
	out := []string{fmt.Sprintf("%s MODIFY COLUMN %s Nullable(String)", alter, quote(a.Widen.Name))}
	if d.comment(a.Widen.Kind) != "" {
		out = append(out, fmt.Sprintf("%s COMMENT COLUMN %s ''", alter, quote(a.Widen.Name)))
	}
	return out
}

func (d dialect) definition(c sqlcore.Column) string {
	return quote(c.Name) + " " + d.typed(c) + d.comment(c.Kind)
}

func (d dialect) create(table string, l sqlcore.Layout) string {
	var lines, key []string
	for i, c := range l.Columns {
		switch {
		case i < len(l.Key): // the key's columns come first
			key = append(key, quote(c.Name))
			lines = append(lines, key[i]+" String")
		case c.Name == sqlcore.Version:
			lines = append(lines, quote(c.Name)+" UInt64")
		default:
			lines = append(lines, d.definition(c))
		}
	}
	engine := "ReplacingMergeTree"
	if isRecords(l.Columns) {
		engine += "(" + quote(sqlcore.Version) + ")"
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n\t%s\n) ENGINE = %s\nORDER BY (%s)", d.table(table), strings.Join(lines, ",\n\t"), engine, strings.Join(key, ", "))
}

// makeView makes the view of what lives, if it is not there. FINAL leaves out the
// rows that newer ones take the place of.
func (d dialect) makeView(table string) string {
	return fmt.Sprintf("CREATE VIEW IF NOT EXISTS %s AS SELECT * FROM %s FINAL WHERE %s IS NULL", d.table(view(table)), d.table(table), quote(sqlcore.DeletedAt))
}

// renewView makes it again: a view has the columns of the day on which it was made.
func (d dialect) renewView(table string) []string {
	return []string{"DROP TABLE IF EXISTS " + d.table(view(table)), d.makeView(table)}
}
