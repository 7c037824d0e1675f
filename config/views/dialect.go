package views

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Dialect writes views in the SQL of a database, for the tables that the
// destination of that name makes.
type Dialect struct {
	kind
	place Place
}

// kind is what tells databases apart.
type kind struct {
	name     string
	schema   string // the destination's default; "" leaves it to the connection
	prefixes bool   // the destination has a setting for one
	maxName  int    // bytes that the destination gives a name; 0 where no name of ours comes near
	quote    func(name string) string
	within   func(schema, name string) string // a name with its schema; nil where there are none
	create   string                           // a format of the name and the query
	drop     string                           // a format of the name
	first    bool                             // a view cannot be replaced: drop it before
}

const (
	replace  = "CREATE OR REPLACE VIEW %s AS\n%s"
	create   = "CREATE VIEW %s AS\n%s"
	dropView = "DROP VIEW IF EXISTS %s"
	// clickHouse makes the views of what lives in its destination.
	clickHouse = "clickhouse"
)

// kinds are the databases, by the names of their destinations.
var kinds = []kind{
	{name: "bigquery", schema: "rootfi", quote: backtick, within: together, create: replace, drop: dropView},
	{
		name: clickHouse, prefixes: true, maxName: 64, quote: escaped, within: apart(escaped),
		create: create, drop: "DROP TABLE IF EXISTS %s", first: true,
	},
	{name: "duckdb", schema: "main", quote: double, within: apart(double), create: replace, drop: dropView},
	{name: "mysql", prefixes: true, maxName: 64, quote: backtick, within: apart(backtick), create: replace, drop: dropView},
	{name: "postgres", schema: "rootfi", maxName: 63, quote: double, within: apart(double), create: replace, drop: dropView},
	{ // A view that is bound late does not keep a column from being widened.
		name: "redshift", schema: "rootfi", maxName: 63, quote: double, within: apart(double),
		create: replace + "\nWITH NO SCHEMA BINDING", drop: dropView,
	},
	{
		name: "snowflake", schema: "rootfi", quote: swapped, within: parted,
		create: "CREATE OR REPLACE VIEW %s COPY GRANTS AS\n%s", drop: dropView,
	},
	{name: "sqlite", prefixes: true, quote: double, create: create, drop: dropView, first: true},
}

// Dialects lists the databases that there are views for.
func Dialects() []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.name
	}
	return out
}

// For returns the dialect of a database, for tables in a place.
func For(database string, place Place) (*Dialect, error) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == database })
	if i < 0 {
		return nil, fmt.Errorf("there are no views for %q: use one of %s", database, strings.Join(Dialects(), ", "))
	}
	d := &Dialect{kinds[i], place}
	switch {
	case place.Schema != "" && d.within == nil:
		return nil, fmt.Errorf("%s has no schemas: leave it out", database)
	case place.Prefix != "" && !d.prefixes:
		return nil, fmt.Errorf("the destination %s has no setting table_prefix: leave the prefix out", database)
	case strings.HasPrefix(strings.ToLower(place.Prefix), "sqlite_"):
		return nil, errors.New("destinations put _ before names that begin with sqlite_: use another prefix")
	case strings.ContainsAny(place.Schema+place.Prefix, "\x00\r\n"):
		return nil, errors.New("a schema or prefix may not have line breaks")
	case database == "bigquery" && strings.ContainsAny(place.Schema, "`\\"):
		return nil, errors.New("a dataset has no backticks and backslashes")
	}
	if d.place.Schema == "" {
		d.place.Schema = d.schema
	}
	return d, nil
}

// Statements make or remove a view.
type Statements struct {
	View        string   `json:"view"`
	Description string   `json:"description"`
	SQL         []string `json:"sql"` // in order, without semicolons
}

// Create makes views, in their order. It can be run again.
func (d *Dialect) Create(views []View) ([]Statements, error) {
	reader := d.reader(views)
	var out []Statements
	for _, v := range d.own(views) {
		if name := d.place.Prefix + v.Name; d.maxName > 0 && len(name) > d.maxName {
			return nil, fmt.Errorf("the name %s is longer than the destination %s makes names: use a shorter prefix", name, d.name)
		}
		s := Statements{View: v.Name, Description: v.Description}
		if d.first {
			s.SQL = append(s.SQL, fmt.Sprintf(d.drop, d.relation(v.Name)))
		}
		s.SQL = append(s.SQL, fmt.Sprintf(d.create, d.relation(v.Name), v.query.render(reader, d.quote)))
		out = append(out, s)
	}
	return out, nil
}

// Drop removes views, each before those that it uses.
func (d *Dialect) Drop(views []View) []Statements {
	var out []Statements
	for _, v := range slices.Backward(d.own(views)) {
		out = append(out, Statements{v.Name, v.Description, []string{fmt.Sprintf(d.drop, d.relation(v.Name))}})
	}
	return out
}

// own leaves out the views that the destination makes.
func (d *Dialect) own(views []View) []View {
	if d.name != clickHouse {
		return views
	}
	return slices.DeleteFunc(slices.Clone(views), func(v View) bool { return v.living != "" })
}

// relation is the name of a table or view with its schema.
func (d *Dialect) relation(name string) string {
	name = d.place.Prefix + name
	if d.place.Schema == "" {
		return d.quote(name)
	}
	return d.within(d.place.Schema, name)
}

// reader says how a query reads a table or view. In ClickHouse that is not through
// the view of what lives: its destination takes it away for a moment whenever it
// adds a column.
func (d *Dialect) reader(views []View) func(string) string {
	if d.name != clickHouse {
		return d.relation
	}
	tables := make(map[string]string)
	for _, v := range views {
		tables[v.Name] = v.living
	}
	return func(name string) string {
		if table := tables[name]; table != "" {
			return fmt.Sprintf("(SELECT * FROM %s FINAL WHERE %s IS NULL)", d.relation(table), d.quote(deletedAt))
		}
		return d.relation(name)
	}
}

func double(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func backtick(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// escaped is for ClickHouse, whose older servers know no doubled quotes.
func escaped(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// swapped is for Snowflake, where the destination gives names in small letters the
// capitals that names without quotes mean.
func swapped(name string) string {
	switch upper := strings.ToUpper(name); {
	case strings.IndexFunc(name, func(r rune) bool { return r > 127 }) >= 0:
	case name == strings.ToLower(name):
		name = upper
	case name == upper:
		name = strings.ToLower(name)
	}
	return double(name)
}

// apart quotes a schema and a name each on its own.
func apart(quote func(string) string) func(schema, name string) string {
	return func(schema, name string) string { return quote(schema) + "." + quote(name) }
}

// together is for BigQuery, where the schema is a dataset, or project.dataset.
func together(schema, name string) string { return backtick(schema + "." + name) }

// parted is for Snowflake, where a database may stand before the schema.
func parted(schema, name string) string {
	if database, schema, ok := strings.Cut(schema, "."); ok {
		return swapped(database) + "." + swapped(schema) + "." + swapped(name)
	}
	return swapped(schema) + "." + swapped(name)
}
