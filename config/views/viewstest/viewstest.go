// Package viewstest has what the views of the pack rootfi/warehouse must show in
// a real database: a destination fills its tables through the pack's mapping, the
// SQL that is printed for users is run, and the views are asked.
package viewstest

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/views"
	"github.com/sluicehq/sluice/plugins/destination"
)

// Database is a new and empty database with a destination for it.
type Database struct {
	Destination destination.Destination // configured
	Dialect     string
	Place       views.Place
	// Exec runs one statement.
	Exec func(t *testing.T, statement string) error
	// Rows reads columns of a view as text, null as nothing.
	Rows func(t *testing.T, view string, columns []string) [][]string
}

// Run tests the views.
func Run(t *testing.T, db Database) {
	pack, all := warehouse(t)
	d, err := views.For(db.Dialect, db.Place)
	if err != nil {
		t.Fatal(err)
	}
	books := newBooks(t, db.Destination)
	apply := func(list []views.Statements, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			for _, sql := range s.SQL {
				if err := db.Exec(t, sql); err != nil {
					t.Fatalf("%s\n%v", sql, err)
				}
			}
		}
	}
	want := func(when string, of map[string]string) {
		t.Helper()
		for _, view := range slices.Sorted(maps.Keys(of)) {
			header, rows, _ := strings.Cut(strings.TrimSpace(of[view]), "\n")
			if got, want := ask(t, db, view, strings.Fields(header)), lines(rows); !slices.Equal(got, want) {
				t.Errorf("%s: %s: got\n%s\nwant\n%s", when, view, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}

	// One record of each model that says next to nothing makes all columns.
	for model := range pack.Models {
		books.put("0", model, "first", `{"updated_at":"2026-01-01T12:00:00Z","line_items":[{"platform_id":"1"}]}`)
	}
	apply(d.Create(all))
	for _, v := range all {
		db.Rows(t, v.Name, v.Columns())
	}

	books.fill()
	want("filled", filled)
	apply(d.Create(all))
	want("made again", filled)

	books.remove("1", "INVOICES", "i2")
	books.put("1", "CONTACTS", "c1", `{"name":"Acme Ltd"}`)
	want("after a deletion and a new name", changed)

	for _, s := range d.Drop(all) {
		for _, sql := range s.SQL {
			if err := db.Exec(t, sql); err != nil {
				t.Fatalf("%s\n%v", sql, err)
			}
			if err := db.Exec(t, sql); err != nil {
				t.Fatalf("drop what is gone: %s\n%v", sql, err)
			}
		}
	}
	apply(d.Create(all))
	want("dropped and made", changed)
}

// Names tests that the views name tables and columns as a destination does, for
// databases that are not there to be asked.
func Names(t *testing.T, database string, place views.Place, table, quote func(name string) string) {
	_, all := warehouse(t)
	d, err := views.For(database, place)
	if err != nil {
		t.Fatal(err)
	}
	made, err := d.Create(all[:1])
	if err != nil {
		t.Fatal(err)
	}
	sql := made[0].SQL[0]
	for _, want := range []string{"VIEW " + table("accounts_current"), "FROM " + table("accounts") + " AS t", "t." + quote("_platform_id") + " AS "} {
		if !strings.Contains(sql, want) {
			t.Errorf("no %s in\n%s", want, sql)
		}
	}
}

// warehouse is the pack and its views.
func warehouse(t *testing.T) (*config.Pack, []views.View) {
	t.Helper()
	pack, err := config.LoadPack("rootfi/warehouse")
	if err != nil {
		t.Fatal(err)
	}
	all, err := views.Of(pack)
	if err != nil {
		t.Fatal(err)
	}
	return pack, all
}

// ask reads a view, without what is there from the first records.
func ask(t *testing.T, db Database, view string, columns []string) []string {
	t.Helper()
	var out []string
	for _, row := range db.Rows(t, view, append([]string{"_company_id"}, columns...)) {
		if row[0] == "0" {
			continue
		}
		cells := row[1:]
		for i, name := range columns {
			cells[i] = plain(name, cells[i])
		}
		out = append(out, strings.Join(cells, " "))
	}
	slices.Sort(out)
	return out
}

// plain is a value as the expectations have it: numbers without zeros at their
// end, days without their time, - for null.
func plain(column, value string) string {
	if value == "" {
		return "-"
	}
	if strings.HasSuffix(column, "_date") {
		return value[:len("2026-01-01")]
	}
	if strings.Contains(column, "amount") {
		if n, ok := new(big.Rat).SetString(value); ok {
			return strings.TrimSuffix(strings.TrimRight(n.FloatString(6), "0"), ".")
		}
	}
	return strings.ReplaceAll(value, " ", "_")
}

func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 0 {
			out = append(out, strings.Join(fields, " "))
		}
	}
	slices.Sort(out)
	return out
}

// changed is what is expected after an invoice was deleted and a contact got
// another name.
var changed = func() map[string]string {
	out := maps.Clone(filled)
	for name, replaced := range map[string][2]string{
		"open_invoices":         {"INV-2 c1 Acme EUR 20.1 2026-02-10", ""},
		"receivables":           {"c1 Acme EUR 2 120.35 2026-02-10", "c1 Acme EUR 1 100.25 2026-03-31"},
		"invoices_current":      {"i2 2026-02-10", ""},
		"invoice_lines_current": {"i2 0 Tea 20.1", ""},
	} {
		if !strings.Contains(out[name], replaced[0]) {
			panic(fmt.Sprintf("%s has no %q", name, replaced[0]))
		}
		out[name] = strings.Replace(out[name], replaced[0], replaced[1], 1)
	}
	for name := range out {
		if name != "invoices_current" { // it has the name that the contact had
			out[name] = strings.ReplaceAll(out[name], " Acme", " Acme_Ltd")
		}
	}
	return out
}()

// Found is what a database answers, by its driver.
type Found interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
}

// Texts reads columns of text, null as nothing.
func Texts(t *testing.T, found Found, columns int) [][]string {
	t.Helper()
	var out [][]string
	for found.Next() {
		cells, dest := make([]*string, columns), make([]any, columns)
		for i := range cells {
			dest[i] = &cells[i]
		}
		if err := found.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, columns)
		for i, c := range cells {
			if c != nil {
				row[i] = *c
			}
		}
		out = append(out, row)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
