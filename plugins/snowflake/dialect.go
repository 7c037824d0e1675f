package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// dialect writes Snowflake's SQL. Rows come from the staging table: a JSON list of
// lists of text, so that no number is ever a float.
type dialect struct {
	schema string // database and schema, quoted
	// rows says which row of the staging table has the rows.
	rows string
}

// Names implements [sqlcore.Database].
func (dialect) Names() sqlcore.Names { return sqlcore.Names{MaxBytes: 128} }

// Digits implements [sqlcore.Database]: those of NUMBER(38,18).
func (dialect) Digits() sqlcore.Digits { return sqlcore.Digits{Whole: 20, Fraction: 18} }

// TakesAny implements [sqlcore.Database].
func (dialect) TakesAny(k sqlcore.Kind) bool {
	return k == sqlcore.Text || k == sqlcore.JSON || k == sqlcore.Other
}

// types are the columns that we make. JSON is kept as text: VARIANT makes floats
// of numbers with more digits than it keeps.
var types = map[sqlcore.Kind]string{
	sqlcore.Boolean:   "BOOLEAN",
	sqlcore.Number:    "NUMBER(38,18)",
	sqlcore.Timestamp: "TIMESTAMP_TZ",
	sqlcore.Text:      "VARCHAR",
	sqlcore.JSON:      "VARCHAR",
	sqlcore.Integer:   "NUMBER(19,0)",
}

// column says what a column is good for by its type as DESCRIBE tells it. A type
// that is not ours is left to Snowflake.
func column(name, declared string) sqlcore.Column {
	kind := sqlcore.Other
	switch {
	case declared == "BOOLEAN":
		kind = sqlcore.Boolean
	case declared == "NUMBER(38,18)":
		kind = sqlcore.Number
	case strings.HasPrefix(declared, "TIMESTAMP_TZ"):
		kind = sqlcore.Timestamp
	case strings.HasPrefix(declared, "VARCHAR"):
		kind = sqlcore.Text // a cast to one that is shorter would cut in silence
	default:
		return sqlcore.Column{Name: swap(name), Kind: kind, Type: declared}
	}
	return sqlcore.Column{Name: swap(name), Kind: kind}
}

// swap changes the case of a name that is all in one: a name without quotes means
// capitals to Snowflake, so that invoices is there as INVOICES, and people need
// no quotes. It is its own opposite, so that no two names become one.
func swap(name string) string {
	upper, lower := strings.ToUpper(name), strings.ToLower(name)
	switch {
	case !isASCII(name):
		return name
	case name == lower:
		return upper
	case name == upper:
		return lower
	}
	return name
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

// Quote implements [sqlcore.MergeDialect].
func (dialect) Quote(name string) string { return sqlcore.Quote(swap(name)) }

// Table implements [sqlcore.MergeDialect].
func (d dialect) Table(name string) string { return d.schema + "." + d.Quote(name) }

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
		value := fmt.Sprintf("f.value[%d]::VARCHAR", i)
		if t := d.Type(c); t != "VARCHAR" {
			value += "::" + t
		}
		items = append(items, value+" AS "+sqlcore.RowName(i))
	}
	if len(s.Masks) > 0 {
		items = append(items, fmt.Sprintf("f.value[%d]::VARCHAR AS m", len(s.Columns)))
	}
	return fmt.Sprintf("SELECT %s FROM (SELECT body FROM %s WHERE id = '%s') AS b, LATERAL FLATTEN(INPUT => PARSE_JSON(b.body)) AS f",
		strings.Join(items, ", "), d.Table(staging), d.rows)
}

// Render implements [sqlcore.Database].
func (d dialect) Render(s sqlcore.Statement) string { return sqlcore.RenderMerge(d, s) }

// aside begins the name of a column until it takes the place of another.
const aside = "_sluice_aside_"

// RenderAlteration implements [sqlcore.Database]. Snowflake makes no text of a
// column of another type; a new column takes its place. Its name says whose: see
// heal.
func (d dialect) RenderAlteration(table string, a sqlcore.Alteration) []string {
	alter := "ALTER TABLE " + d.Table(table)
	switch {
	case a.Create != nil:
		return []string{d.create(table, *a.Create)}
	case a.Add != nil:
		return []string{alter + " ADD COLUMN IF NOT EXISTS " + d.definition(*a.Add, false)}
	default:
		old, wide := d.Quote(a.Widen.Name), d.Quote(aside+a.Widen.Name)
		return []string{
			alter + " ADD COLUMN " + wide + " VARCHAR",
			fmt.Sprintf("UPDATE %s SET %s = %s WHERE TRUE", d.Table(table), wide, asText(a.Widen.Kind, old)),
			alter + " DROP COLUMN " + old,
			fmt.Sprintf("%s RENAME COLUMN %s TO %s", alter, wide, old),
		}
	}
}

// asText is a value as the text that other databases widen it to.
func asText(k sqlcore.Kind, name string) string {
	switch k {
	case sqlcore.Number: // without the zeros that fill the scale
		return fmt.Sprintf("RTRIM(RTRIM(%s::VARCHAR, '0'), '.')", name)
	case sqlcore.Timestamp:
		return fmt.Sprintf(`TO_CHAR(CONVERT_TIMEZONE('UTC', %s), 'YYYY-MM-DD"T"HH24:MI:SS.FF6"Z"')`, name)
	default:
		return name + "::VARCHAR"
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
	lines = append(lines, "PRIMARY KEY ("+strings.Join(keys, ", ")+")") // not enforced
	return "CREATE TABLE IF NOT EXISTS " + d.Table(table) + " (\n\t" + strings.Join(lines, ",\n\t") + "\n)"
}

func (d dialect) definition(c sqlcore.Column, required bool) string {
	text := d.Quote(c.Name) + " " + d.Type(c)
	if required || c.Name == sqlcore.Version {
		text += " NOT NULL"
	}
	return text
}
