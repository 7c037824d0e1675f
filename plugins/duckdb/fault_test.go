package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

func TestFault(t *testing.T) {
	e := func(k duckdb.ErrorType, text string) error {
		return fmt.Errorf("write: %w", &duckdb.Error{Type: k, Msg: text})
	}
	for name, tt := range map[string]struct {
		err  error
		want sqlcore.Fault
	}{
		"conflict":      {e(duckdb.ErrorTypeTransaction, "TransactionContext Error: Conflict on update!"), sqlcore.Fault{Kind: sqlcore.Clash, Code: "TRANSACTION"}},
		"value":         {e(duckdb.ErrorTypeConversion, "Conversion Error: x"), sqlcore.Fault{Kind: sqlcore.Bad, Code: "CONVERSION"}},
		"no table":      {e(duckdb.ErrorTypeCatalog, "Catalog Error: Table with name t does not exist!"), sqlcore.Fault{Kind: sqlcore.Stale, Code: "CATALOG"}},
		"disk full":     {e(duckdb.ErrorTypeIO, "IO Error: Could not write file: No space left on device"), sqlcore.Fault{Code: "IO"}},
		"read-only":     {e(duckdb.ErrorTypeIO, "IO Error: Cannot open file: Read-only file system"), sqlcore.Fault{Kind: sqlcore.Setup, Code: "IO"}},
		"fatal":         {e(duckdb.ErrorTypeFatal, "FATAL Error: x"), sqlcore.Fault{Code: "FATAL"}},
		"bug of DuckDB": {e(duckdb.ErrorTypeInternal, "INTERNAL Error: x"), sqlcore.Fault{Code: "DUCKDB"}},
		"cancelled":     {fmt.Errorf("x: %w", context.Canceled), sqlcore.Fault{Code: "CANCELLED"}},
		"alteration": {
			sqlcore.Alteration{Widen: &sqlcore.Column{Name: "c"}}.Refused(e(duckdb.ErrorTypeCatalog, "Catalog Error: an index depends on it!")),
			sqlcore.Fault{Kind: sqlcore.Refused, Code: "CATALOG"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&database{}).Fault(tt.err); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func record(id string, fields string) destination.Record {
	r := destination.Record{Key: []string{"4711", "XERO", id}, Operation: destination.Upsert, Version: 1, IdempotencyKey: id}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(err)
	}
	return r
}

func records(list ...destination.Record) destination.Batch {
	return destination.Batch{
		Mode: destination.ModeRecords, Object: "invoices",
		KeyFields: []string{"_company_id", "_integration_type", "_platform_id"}, Records: list,
	}
}

func TestWhatIsWrongWithTheFile(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.duckdb")
	if err := os.WriteFile(text, make([]byte, 1<<14), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ path, code string }{
		"a directory":       {dir, "IO"},
		"a file on the way": {filepath.Join(text, "x", "warehouse.duckdb"), "DIRECTORY"},
		"no database":       {text, "IO"},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, settings{Path: tt.path})
			_, write := d.Write(t.Context(), records(record("a", `{"memo":"m"}`)))
			for method, err := range map[string]error{"check": d.Check(t.Context()), "write": write} {
				f, ok := errors.AsType[*destination.Failure](err)
				if !ok || f.Kind != destination.Misconfigured || f.Code != tt.code {
					t.Errorf("%s: got %+v, want misconfigured %s", method, err, tt.code)
				}
			}
		})
	}
}

// A foreign key of the warehouse's owner makes a record wait for its parent; a
// constraint that it breaks rejects it.
func TestRulesOfTheOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	exec(t, path, "CREATE TABLE people (id VARCHAR PRIMARY KEY)", "INSERT INTO people VALUES ('known')", `CREATE TABLE invoices (
	_company_id VARCHAR, _integration_type VARCHAR, _platform_id VARCHAR, _version BIGINT, _deleted_at TIMESTAMPTZ, _synced_at TIMESTAMPTZ,
	contact_id VARCHAR REFERENCES people(id), amount DECIMAL(6,2) CHECK (amount >= 0), day DATE, PRIMARY KEY (_company_id, _integration_type, _platform_id))`)
	d := start(t, settings{Path: path})
	results, err := d.Write(t.Context(), records(
		record("a", `{"contact_id":"known","amount":1.10,"day":"2026-03-01"}`), record("b", `{"contact_id":"unknown"}`),
		record("c", `{"amount":-1}`), record("d", `{"day":"some day"}`), record("e", `{"amount":null}`)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []destination.Result{
		{Kind: destination.Delivered}, {Kind: destination.Dependency, Code: "FOREIGN_KEY"}, {Kind: destination.Rejected, Code: "CONSTRAINT"},
		{Kind: destination.Rejected, Code: "CONVERSION"}, {Kind: destination.Delivered},
	} {
		if results[i].Kind != want.Kind || results[i].Code != want.Code {
			t.Errorf("record %d: %+v, want %v %s", i, results[i], want.Kind, want.Code)
		}
	}
}

// A number stays exact, and SQL calculates with it as with a decimal.
func TestNumbersAreDecimals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	d := start(t, settings{Path: path, ReleaseAfter: "0s"})
	if _, err := d.Write(t.Context(), records(record("a", `{"amount":0.1,"id":18446744073709551615}`), record("b", `{"amount":0.2}`))); err != nil {
		t.Fatal(err)
	}
	exec(t, path, "CREATE TABLE sums AS SELECT sum(amount) = 0.3 AS exact, typeof(any_value(amount)) AS kind, max(id)::VARCHAR AS id FROM invoices")
	got := rows(t, path, "main", "sums")
	if got[0]["exact"] != "true" || got[0]["kind"] != "DECIMAL(38,18)" || got[0]["id"] != "18446744073709551615.000000000000000000" {
		t.Errorf("%v", got)
	}
}

// While one process has the file, others wait their turn; it lets go of the file
// when it has nothing to write.
func TestTheFileIsReleased(t *testing.T) {
	binary := hosttest.Build(t, ".", "duckdb")
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	open := func(release string) *hosttest.Plugin {
		p := hosttest.Open(t, binary)
		if err := p.Configure(t.Context(), sqltest.Settings(t, settings{Path: path, ReleaseAfter: release})); err != nil {
			t.Fatal(err)
		}
		return p
	}
	holder, other := open("1h"), open("50ms")
	if _, err := holder.Write(t.Context(), records(record("a", `{"memo":"m"}`))); err != nil {
		t.Fatal(err)
	}
	_, err := other.Write(t.Context(), records(record("b", `{"memo":"m"}`)))
	if f, ok := errors.AsType[*destination.Failure](err); !ok || f.Kind != destination.Retry || f.Code != "FILE_IN_USE" {
		t.Errorf("got %v, want retry FILE_IN_USE", err)
	}
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Write(t.Context(), records(record("b", `{"memo":"m"}`))); err != nil {
		t.Fatal(err)
	}
	d := visit(t, path, "main")
	deadline := time.Now().Add(30 * time.Second)
	for {
		columns, err := d.Columns(t.Context(), "invoices")
		if err == nil && len(columns) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the file is not released: %v", err)
		}
	}
	if got := rows(t, path, "main", "invoices"); len(got) != 2 {
		t.Errorf("%d rows, want 2", len(got))
	}
}

// Whatever was acknowledged before a SIGKILL is in the file, and a write whose
// answer was lost can be repeated.
func TestKilledProcess(t *testing.T) {
	binary := hosttest.Build(t, ".", "duckdb")
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	acknowledged := 0
	for life := range 3 {
		p := hosttest.Open(t, binary)
		if err := p.Configure(t.Context(), sqltest.Settings(t, settings{Path: path})); err != nil {
			t.Fatal(err)
		}
		var killer *time.Timer
		for first := acknowledged; ; first += 10 {
			b := records()
			for i := range 10 {
				b.Records = append(b.Records, record(fmt.Sprint(first+i), `{"memo":"m"}`))
			}
			if _, err := p.Write(t.Context(), b); err != nil {
				break
			}
			acknowledged = first + 10
			if killer == nil { // in the middle of one of the next writes
				killer = time.AfterFunc(time.Duration(20+life*17)*time.Millisecond, func() { _ = syscall.Kill(p.PID(), syscall.SIGKILL) })
			}
		}
		_ = p.Close()
	}
	d := start(t, settings{Path: path, ReleaseAfter: "0s"})
	if _, err := d.Write(t.Context(), records(record("0", `{"memo":"again"}`))); err != nil {
		t.Fatal(err)
	}
	there := map[string]int{}
	for _, r := range rows(t, path, "main", "invoices") {
		there[r["_platform_id"]]++
	}
	for i := range acknowledged {
		if n := there[fmt.Sprint(i)]; n != 1 {
			t.Errorf("record %d of %d: %d rows", i, acknowledged, n)
		}
	}
	t.Logf("%d acknowledged, %d there", acknowledged, len(there))
}

func TestBadSettings(t *testing.T) {
	for name, raw := range map[string]string{
		"no path": `{}`, "empty path": `{"path":""}`, "memory": `{"path":":memory:"}`, "options": `{"path":"x?threads=1"}`, "escape": `{"path":"x%20y"}`,
		"delete": `{"path":"x.duckdb","delete":"maybe"}`, "release": `{"path":"x.duckdb","release_after":"soon"}`, "negative": `{"path":"x.duckdb","release_after":"-1s"}`,
		"size": `{"path":"x.duckdb","memory_limit":"much"}`, "threads": `{"path":"x.duckdb","threads":-1}`,
	} {
		d := &duckDB{}
		if err := d.Configure(t.Context(), json.RawMessage(raw)); err == nil {
			t.Errorf("%s: accepted", name)
			_ = d.Close()
		}
	}
}
