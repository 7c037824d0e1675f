package views_test

import (
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/config/views"
	"github.com/sluicehq/sluice/config/views/viewstest"
	"github.com/sluicehq/sluice/internal/event"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const warehouse = "rootfi/warehouse"

func of(t *testing.T, name string) []views.View {
	t.Helper()
	pack, err := config.LoadPack(name)
	if err != nil {
		t.Fatal(err)
	}
	all, err := views.Of(pack)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func dialect(t *testing.T, name string, place views.Place) *views.Dialect {
	t.Helper()
	d, err := views.For(name, place)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func create(t *testing.T, d *views.Dialect, all []views.View) []views.Statements {
	t.Helper()
	out, err := d.Create(all)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func text(list []views.Statements) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "-- %s: %s\n%s;\n\n", s.View, s.Description, strings.Join(s.SQL, ";\n"))
	}
	return b.String()
}

// The views of every pack fit its mapping, and a database that reads the whole SQL
// finds every column in tables that have no others.
func TestPacks(t *testing.T) {
	with := 0
	for _, name := range config.Packs() {
		t.Run(name, func(t *testing.T) {
			all := of(t, name)
			if len(all) == 0 {
				return
			}
			with++
			db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "views.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			exec := func(statements ...string) {
				t.Helper()
				for _, s := range statements {
					if _, err := db.ExecContext(t.Context(), s); err != nil {
						t.Fatalf("%s\n%v", s, err)
					}
				}
			}
			for table, columns := range typed(t, name) {
				exec(fmt.Sprintf(`CREATE TABLE "%s" ("%s")`, table, strings.Join(columns, `", "`)))
			}
			for _, s := range create(t, dialect(t, "sqlite", views.Place{}), all) {
				exec(s.SQL...)
				exec(fmt.Sprintf(`SELECT * FROM "%s"`, s.View))
			}
		})
	}
	if with == 0 {
		t.Error("no pack has views")
	}
}

// typed lists the columns that the tables of a pack have from their first record
// on: those whose type its mapping knows. The records hold one element in each
// list.
func typed(t *testing.T, name string) map[string][]string {
	t.Helper()
	pack, err := config.LoadPack(name)
	if err != nil {
		t.Fatal(err)
	}
	plans := viewstest.Plans(t, name)
	out := make(map[string][]string)
	add := func(p mapping.Part) {
		out[p.Object] = append(slices.Clone(p.KeyFields), "_version", "_deleted_at", "_synced_at")
		for field := range p.Types {
			out[p.Object] = append(out[p.Object], field)
		}
	}
	for model, m := range pack.Models {
		r := &event.Record{Key: event.RecordKey{Source: "rootfi", CompanyID: "1", Integration: "XERO", Model: model, PlatformID: "1"}, Version: 1, Written: event.Stamp{At: 1}, Fields: map[string]event.Field{}}
		for list := range m.Expand {
			r.Fields[list] = event.Field{Value: json.RawMessage(`[{"platform_id":"1"}]`), Stamp: r.Written, Version: 1}
		}
		got, err := plans.For("r", "d", model).Record(mapping.Merged{Record: r})
		if err != nil {
			t.Fatal(err)
		}
		add(got.Part)
		for _, c := range got.Children {
			add(c)
		}
	}
	return out
}

// Two views and what they use have all that a dialect does; in those databases
// that can run here all views are made for real.
func TestSQL(t *testing.T) {
	all, err := views.Only(of(t, warehouse), []string{"receivables", "general_ledger"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range views.Dialects() {
		t.Run(name, func(t *testing.T) {
			d := dialect(t, name, views.Place{})
			got := text(create(t, d, all)) + text(d.Drop(all))
			file := filepath.Join("testdata", name+".sql")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || got != string(want) {
				t.Errorf("%s (%v): got\n%s", file, err, got)
			}
		})
	}
}

// Names are quoted as the destinations quote theirs.
func TestPlace(t *testing.T) {
	for name, c := range map[string]struct {
		place views.Place
		want  string
	}{
		"postgres":   {views.Place{Schema: `a "b".c`}, `VIEW "a ""b"".c"."items_current" AS`},
		"redshift":   {views.Place{Schema: "s"}, `VIEW "s"."items_current" AS`},
		"duckdb":     {views.Place{Schema: "s"}, `VIEW "s"."items_current" AS`},
		"snowflake":  {views.Place{Schema: "Prod.books"}, `VIEW "Prod"."BOOKS"."ITEMS_CURRENT" COPY GRANTS AS`},
		"bigquery":   {views.Place{Schema: "my-project.books"}, "VIEW `my-project.books.items_current` AS"},
		"mysql":      {views.Place{Schema: "a`b", Prefix: "rf_"}, "VIEW `a``b`.`rf_items_current` AS"},
		"sqlite":     {views.Place{Prefix: `r"f `}, `VIEW "r""f items_current" AS`},
		"clickhouse": {views.Place{Schema: "d", Prefix: `r"f `}, `VIEW "d"."r\"f open_bills" AS`},
	} {
		all := of(t, warehouse)
		got := text(create(t, dialect(t, name, c.place), all))
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: no %s in\n%s", name, c.want, got)
		}
		for _, placeless := range []string{` "items"`, ` "invoices"`, " `items`", " `invoices`"} {
			if strings.Contains(got, placeless) {
				t.Errorf("%s: %s has no schema or prefix", name, placeless)
			}
		}
	}
}

func TestPlaceRefused(t *testing.T) {
	for name, c := range map[string]struct {
		database string
		place    views.Place
	}{
		"no such database":         {"oracle", views.Place{}},
		"no schemas":               {"sqlite", views.Place{Schema: "main"}},
		"no prefixes":              {"postgres", views.Place{Prefix: "rf_"}},
		"a name that is changed":   {"sqlite", views.Place{Prefix: "SQLite_"}},
		"more than a name":         {"postgres", views.Place{Schema: "a\nb"}},
		"a name that has no quote": {"bigquery", views.Place{Schema: "a`b"}},
	} {
		if _, err := views.For(c.database, c.place); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	long := dialect(t, "mysql", views.Place{Prefix: strings.Repeat("p", 50)})
	if _, err := long.Create(of(t, warehouse)); err == nil {
		t.Error("a name that the destination would change is no error")
	}
}

func TestPlaceOf(t *testing.T) {
	for name, c := range map[string]struct {
		plugin   string
		settings map[string]any
		want     views.Place
	}{
		"schema":             {"postgres", map[string]any{"schema": "books", "url": "x"}, views.Place{Schema: "books"}},
		"no schema":          {"duckdb", map[string]any{"path": "x"}, views.Place{}},
		"prefix":             {"sqlite", map[string]any{"table_prefix": "rf_"}, views.Place{Prefix: "rf_"}},
		"snowflake":          {"snowflake", map[string]any{"database": "PROD", "schema": "books"}, views.Place{Schema: "PROD.books"}},
		"bigquery's default": {"bigquery", map[string]any{"project": "p-1"}, views.Place{Schema: "p-1.rootfi"}},
	} {
		if got := views.PlaceOf(c.plugin, c.settings); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestOnly(t *testing.T) {
	all := of(t, warehouse)
	some, err := views.Only(all, []string{"receivables"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range some {
		got = append(got, v.Name)
	}
	if want := []string{"contacts_current", "invoices_current", "open_invoices", "receivables"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := views.Only(all, []string{"nothing"}); err == nil {
		t.Error("an unknown view is no error")
	}
}

// A view that names what is not there does not come to anybody.
func TestBrokenViews(t *testing.T) {
	model := map[string]config.Mapping{"ITEMS": {Fields: &config.Fields{Include: []string{"name", "code"}, Rename: map[string]string{"code": "sku"}}}}
	for name, c := range map[string]struct{ sql, err string }{
		"good":                    {"SELECT i.{sku} AS {sku}, COUNT(*) AS {n} FROM {items} AS i GROUP BY i.{sku}", ""},
		"over what lives":         {"SELECT s.{n} AS {m} FROM (SELECT MAX(i.{name}) AS {n} FROM {items_current} AS i) AS s", ""},
		"renamed field":           {"SELECT i.{code} AS {code} FROM {items} AS i", `i has no column "code"`},
		"bookkeeping of a table":  {"SELECT i.{_version} AS {v} FROM {items} AS i", ""},
		"bookkeeping of a view":   {"SELECT i.{_version} AS {v} FROM {items_current} AS i", `i has no column "_version"`},
		"no such table":           {"SELECT i.{name} AS {name} FROM {accounts} AS i", "{accounts} is no table"},
		"no such joined table":    {"SELECT i.{name} AS {name} FROM {items} AS i LEFT JOIN {taxes} AS t ON 1 = 1", "{taxes} is no table"},
		"itself":                  {"SELECT i.{name} AS {name} FROM {v} AS i", "{v} is no table"},
		"no alias":                {"SELECT {name} AS {name} FROM {items} AS i", `{name} needs the alias of a table before it`},
		"no such alias":           {"SELECT x.{name} AS {name} FROM {items} AS i", `"x" is none`},
		"alias twice":             {"SELECT i.{name} AS {name} FROM {items} AS i LEFT JOIN {items} AS i ON 1 = 1", "an alias of its own"},
		"table without alias":     {"SELECT i.{name} AS {name} FROM {items}", "an alias of its own"},
		"column of the inner one": {"SELECT s.{name} AS {m} FROM (SELECT i.{name} AS {n} FROM {items} AS i) AS s", `s has no column "name"`},
		"given twice":             {"SELECT i.{name} AS {n}, i.{sku} AS {n} FROM {items} AS i", "{n} after AS is given twice"},
		"a name to quote":         {"SELECT i.{name} AS {a b} FROM {items} AS i", "not made of small letters"},
		"nothing":                 {"SELECT 1", "reads or gives nothing"},
		"open parenthesis":        {"SELECT i.{name} AS {name} FROM {items} AS i WHERE (1 = 1", "parenthesis is open"},
		"closed parenthesis":      {"SELECT i.{name} AS {name} FROM {items} AS i WHERE 1 = 1)", "a parenthesis too many"},
	} {
		_, err := views.Of(&config.Pack{Models: model, Views: []config.PackView{{Name: "v", Description: "d", SQL: c.sql}}})
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), "view v: ") || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
	}
	for name, views2 := range map[string][]string{"of a table": {"items"}, "of a view that is made": {"items_current"}, "twice": {"v", "v"}, "to be quoted": {"Open Items"}} {
		pack := &config.Pack{Models: model}
		for _, v := range views2 {
			pack.Views = append(pack.Views, config.PackView{Name: v, Description: "d", SQL: "SELECT i.{name} AS {name} FROM {items} AS i"})
		}
		if _, err := views.Of(pack); err == nil {
			t.Errorf("the name %s is no error", name)
		}
	}
}

// The columns of a table are those of its mapping, in the order that it has.
func TestColumns(t *testing.T) {
	pack := &config.Pack{
		Models: map[string]config.Mapping{"INVOICES": {
			Object: "sales", Key: []string{"nr"},
			Fields:    &config.Fields{Include: []string{"status", "*_id", "line_items"}, Exclude: []string{"currency_*"}, Rename: map[string]string{"status": "state"}},
			Map:       map[string]string{"nr": "key.platform_id", "b": "1", "currency_code": "1"},
			Constants: map[string]any{"a": 1},
			Expand:    config.Expand{"line_items": {Map: map[string]string{"net": "1"}}},
		}},
		Views: []config.PackView{{Name: "v", Description: "d", SQL: "SELECT s.{state} AS {state} FROM {sales} AS s"}},
	}
	all, err := views.Of(pack)
	if err != nil {
		t.Fatal(err)
	}
	got := text(create(t, dialect(t, "sqlite", views.Place{}), all[:2]))
	want := `-- sales_current: What lives of sales.
DROP VIEW IF EXISTS "sales_current";
CREATE VIEW "sales_current" AS
SELECT
  t."nr" AS "nr",
  t."state" AS "state",
  t."contact_id" AS "contact_id",
  t."platform_id" AS "platform_id",
  t."platform_unique_id" AS "platform_unique_id",
  t."rootfi_company_id" AS "rootfi_company_id",
  t."rootfi_id" AS "rootfi_id",
  t."b" AS "b",
  t."a" AS "a"
FROM "sales" AS t
WHERE t."_deleted_at" IS NULL;

-- sales_line_items_current: What lives of sales_line_items.
DROP VIEW IF EXISTS "sales_line_items_current";
CREATE VIEW "sales_line_items_current" AS
SELECT
  t."nr" AS "nr",
  t."_item" AS "_item",
  t."net" AS "net"
FROM "sales_line_items" AS t
WHERE t."_deleted_at" IS NULL;

`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}
