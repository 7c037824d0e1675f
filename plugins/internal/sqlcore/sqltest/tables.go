package sqltest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
)

// widening keeps what is there, digit by digit, and takes what comes.
func widening(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	const object = "invoices"
	deliver(t, d, batch(object,
		put("a", 1, `{"amount":1.10,"due_at":"2026-03-01T10:00:00.5+01:00","paid":true,"lines":[1],"free":0.1234567890123456789,"flag":false,"when":"2026-03-01T10:00:00Z"}`)))
	deliver(t, d, batch(object,
		put("b", 1, `{"amount":"n/a","due_at":"soon","paid":"partly","lines":"none","free":[1],"flag":7.10,"when":"later"}`),
		put("c", 1, `{"amount":2.20,"due_at":"2026-03-02T10:00:00Z","paid":false,"lines":{"n":1.10},"free":{"a":true},"flag":true,"when":1}`)))
	p.want(t, object, "a", map[string]string{
		"amount": "1.10", "due_at": "2026-03-01T09:00:00.500000Z", "paid": "true", "lines": "[1]",
		"free": "0.1234567890123456789", "flag": "false", "when": "2026-03-01T10:00:00.000000Z",
	})
	p.want(t, object, "b", map[string]string{
		"amount": "n/a", "due_at": "soon", "paid": "partly", "lines": "none", "free": "[1]", "flag": "7.10", "when": "later",
	})
	p.want(t, object, "c", map[string]string{
		"amount": "2.20", "paid": "false", "free": `{"a":true}`, "flag": "true", "when": "1",
	})
	// Numbers beyond what a column of numbers takes are kept as they came.
	deliver(t, d, batch("huge", put("a", 1, `{"amount":5}`), put("b", 1, `{"amount":1e400000}`)))
	p.want(t, "huge", "b", map[string]string{"amount": "1e400000"})
	p.want(t, "huge", "a", map[string]string{"amount": "5"})
}

// refusedWidening: a view or an index on a column may forbid to alter it. That
// costs only the records that do not fit.
func refusedWidening(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	deliver(t, d, batch("invoices", put("a", 1, `{"paid":true}`)))
	hold := []string{fmt.Sprintf("CREATE VIEW %s AS SELECT paid FROM %s", p.Table("unpaid"), p.Table("invoices"))}
	release := []string{"DROP VIEW " + p.Table("unpaid")}
	if p.Hold != nil {
		hold, release = p.Hold(p.Table("invoices"), "paid")
	}
	p.Exec(t, hold...)
	results := write(t, d, batch("invoices",
		put("a", 2, `{"paid":false}`), put("bad", 1, `{"paid":"partly"}`), put("b", 1, `{"memo":"m"}`)))
	for i, want := range []destination.ResultKind{destination.Delivered, destination.Rejected, destination.Delivered} {
		if results[i].Kind != want {
			t.Errorf("record %d: %v %s %s, want %v", i, results[i].Kind, results[i].Code, results[i].Message, want)
		}
	}
	p.Exec(t, release...)
	deliver(t, d, batch("invoices", put("bad", 1, `{"paid":"partly"}`)))
	p.want(t, "invoices", "bad", map[string]string{"paid": "partly"})
	p.want(t, "invoices", "a", map[string]string{"paid": "false"})
}

// columns: those of the catalog are there from the start, others come with their
// first value.
func columns(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	deliver(t, d, batch("invoices", put("a", 1, `{"unknown":null,"judged":12.50}`)))
	p.Exec(t, "UPDATE "+p.Table("invoices")+" SET amount = NULL, due_at = NULL, memo = NULL, paid = NULL, \"lines\" = NULL, judged = NULL, _deleted_at = NULL")
	deliver(t, d, batch("invoices", put("b", 1, `{"unknown":"now it is"}`)))
	p.want(t, "invoices", "b", map[string]string{"unknown": "now it is"})
	if p.state(t, "invoices")["a"]["unknown"] != "" {
		t.Error("the first row has a value of the second")
	}
}

// names: fields whose names are taken, too long, alike, or no names at all.
func names(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	long := strings.Repeat("länge", 30)
	fields := map[string]string{
		"_version": "1", "_version_": "2", "_VERSION": "3", "_platform_id": "4", "_deleted_at": "5", "_synced_at_": "6",
		"name": "7", "Name": "8", "NAME": "9", "": "10", `quo"te`: "11", "semi;colon -- x": "12", "select": "13",
		long + "a": "14", long + "b": "15", "ctid": "16", "rowid": "17", "nul\u0000name": "18", "Üñí": "19", "'": "20", "?1": "21", "$1": "22",
	}
	r := put("a", 7, `{}`)
	for name, value := range fields {
		r.Fields[name] = []byte(value)
	}
	for range 2 { // the second time finds its columns again
		deliver(t, d, batch("invoices", r))
		d = p.Open(t, "soft")
	}
	row := p.state(t, "invoices")["a"]
	if row["_version"] != "7" {
		t.Errorf("the version is %q", row["_version"])
	}
	delete(row, "_version")
	seen := map[string]string{}
	for name, value := range row {
		if seen[value] != "" {
			t.Errorf("columns %q and %q have the same value", name, seen[value])
		}
		seen[value] = name
	}
	for name, value := range fields {
		if seen[value] == "" {
			t.Errorf("field %q has no column", name)
		}
	}
	for name, value := range map[string]string{"_version__": "2", "_platform_id_": "4", "select": "13", "Üñí": "19"} {
		if row[name] != value {
			t.Errorf("column %q = %q, want %q", name, row[name], value)
		}
	}
	// So do objects whose names are no good for tables.
	for i, object := range []string{long + "1", long + "2", `we"ird; table`, "select", "sqlite_master", "pg_class"} {
		deliver(t, d, batch(object, put(fmt.Sprint("o", i), 1, `{"memo":"m"}`)))
		deliver(t, d, batch(object, put(fmt.Sprint("o", i), 2, `{"memo":"n"}`)))
	}
}

// manyFields: wider than the hundred arguments of a function in PostgreSQL.
func manyFields(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	r := put("a", 1, `{}`)
	for i := range 250 {
		r.Fields[fmt.Sprintf("field_%d", i)] = fmt.Append(nil, i)
	}
	deliver(t, d, batch("wide", r))
	p.want(t, "wide", "a", map[string]string{"field_0": "0", "field_249": "249"})
}

// changingTable: somebody drops a column or the whole table between two writes.
func changingTable(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	for step, change := range []string{"ALTER TABLE %s DROP COLUMN memo", "DROP TABLE %s", "ALTER TABLE %s DROP COLUMN _deleted_at"} {
		for _, removed := range []bool{false, true} {
			if removed {
				p.Exec(t, fmt.Sprintf(change, p.Table("invoices")))
			}
			memo := fmt.Sprintf("step %d %v", step, removed)
			deliver(t, d, batch("invoices", put("a", int64(step+1), fmt.Sprintf(`{"memo":%q}`, memo))))
			p.want(t, "invoices", "a", map[string]string{"memo": memo})
		}
	}
}

func foreignTable(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	deliver(t, d, batch("bills", put("a", 1, `{}`))) // makes the schema
	p.Exec(t, "CREATE TABLE "+p.Table("invoices")+" (id integer PRIMARY KEY, memo text)")
	_, err := d.Write(t.Context(), batch("invoices", put("a", 1, `{"memo":"m"}`)))
	f, ok := errors.AsType[*destination.Failure](err)
	if !ok || f.Kind != destination.Misconfigured || f.Code != "FOREIGN_TABLE" {
		t.Errorf("got %v", err)
	}
	if _, err := d.Write(t.Context(), batch("bills", put("b", 1, `{}`))); err != nil {
		t.Errorf("another table: %v", err)
	}
}
