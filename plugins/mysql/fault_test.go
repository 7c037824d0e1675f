package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sluicehq/sluice/internal/mariadbtest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

func TestFault(t *testing.T) {
	e := func(n uint16) error { return fmt.Errorf("write: %w", &mysql.MySQLError{Number: n}) }
	alter := func(n uint16) error {
		return sqlcore.Alteration{Widen: &sqlcore.Column{Name: "c"}}.Refused(&mysql.MySQLError{Number: n})
	}
	for name, tt := range map[string]struct {
		err  error
		want sqlcore.Fault
	}{
		"deadlock":             {e(1213), sqlcore.Fault{Kind: sqlcore.Clash, Code: "1213"}},
		"lock timeout":         {e(1205), sqlcore.Fault{Code: "1205"}},
		"too many connections": {e(1040), sqlcore.Fault{Code: "1040"}},
		"disk full":            {e(1021), sqlcore.Fault{Code: "1021"}},
		"shutdown":             {e(1053), sqlcore.Fault{Code: "1053"}},
		"no table":             {e(1146), sqlcore.Fault{Kind: sqlcore.Stale, Code: "1146"}},
		"value":                {e(1366), sqlcore.Fault{Kind: sqlcore.Bad, Code: "1366"}},
		"foreign key":          {e(1452), sqlcore.Fault{Kind: sqlcore.Orphan, Code: "1452"}},
		"password":             {e(1045), sqlcore.Fault{Kind: sqlcore.Setup, Code: "1045"}},
		"held by a key":        {alter(1833), sqlcore.Fault{Kind: sqlcore.Refused, Code: "1833"}},
		"lock in an ALTER":     {alter(1205), sqlcore.Fault{Code: "1205"}},
		"rights in an ALTER":   {alter(1142), sqlcore.Fault{Kind: sqlcore.Setup, Code: "1142"}},
		"packet":               {mysql.ErrPktTooLarge, sqlcore.Fault{Kind: sqlcore.Bad, Code: "PACKET_TOO_LARGE"}},
		"cancelled":            {fmt.Errorf("x: %w", context.Canceled), sqlcore.Fault{Code: "CANCELLED"}},
		"connection was lost":  {mysql.ErrInvalidConn, sqlcore.Fault{Code: "CONNECTION"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&database{}).Fault(tt.err); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func record(id string, version int64, fields string) destination.Record {
	r := destination.Record{
		Key: []string{"4711", "XERO", id}, Operation: destination.Upsert, Version: version,
		IdempotencyKey: id, OccurredAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
	}
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

func TestWhatIsWrongWithTheDatabase(t *testing.T) {
	good := mariadbtest.URL(t)
	at := func(change func(*url.URL)) settings {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return settings{URL: u.String()}
	}
	name := good[strings.LastIndex(good, "/")+1:]
	exec(t, good, "CREATE USER reader IDENTIFIED BY 'pass'", "GRANT SELECT ON "+name+".* TO reader")
	for name, tt := range map[string]struct {
		settings settings
		kind     destination.ResultKind
		code     string
	}{
		"nobody listens":     {at(func(u *url.URL) { u.Host = "127.0.0.1:1" }), destination.Retry, "CONNECTION"},
		"no such database":   {at(func(u *url.URL) { u.Path = "/none" }), destination.Misconfigured, "1049"},
		"wrong password":     {at(func(u *url.URL) { u.User = url.UserPassword("reader", "wrong") }), destination.Misconfigured, "1045"},
		"no right to create": {at(func(u *url.URL) { u.User = url.UserPassword("reader", "pass") }), destination.Misconfigured, "1142"},
	} {
		t.Run(name, func(t *testing.T) {
			m := start(t, tt.settings)
			_, write := m.Write(t.Context(), records(record("a", 1, `{"memo":"m"}`)))
			for method, err := range map[string]error{"check": m.Check(t.Context()), "write": write} {
				f, ok := errors.AsType[*destination.Failure](err)
				if !ok || f.Kind != tt.kind || f.Code != tt.code {
					t.Errorf("%s: got %+v, want %v %s", method, err, tt.kind, tt.code)
				}
			}
		})
	}
}

// A foreign key of the warehouse's owner makes a record wait for its parent; a
// type, a constraint or a unique index that it breaks rejects it alone.
func TestRulesOfTheOwner(t *testing.T) {
	url := mariadbtest.URL(t)
	m := start(t, settings{URL: url})
	write := func(b destination.Batch) []destination.Result {
		results, err := m.Write(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	write(records(record("first", 1, `{"memo":"taken"}`)))
	exec(t, url, "CREATE TABLE people (id varchar(50) PRIMARY KEY) CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin", "INSERT INTO people VALUES ('known')",
		`ALTER TABLE invoices ADD contact_id varchar(50), ADD FOREIGN KEY (contact_id) REFERENCES people (id), ADD number varchar(50) UNIQUE,
	ADD amount decimal(6,2) CHECK (amount >= 0), ADD code varchar(3), ADD day date`, "UPDATE invoices SET number = 'taken'")
	m = start(t, settings{URL: url})
	results := write(records(
		record("a", 1, `{"contact_id":"known","amount":1.10,"code":"abc","day":"2026-03-01"}`),
		record("b", 1, `{"contact_id":"unknown"}`),
		record("c", 1, `{"amount":-1}`),
		record("d", 1, `{"code":"abcd"}`),
		record("e", 1, `{"day":"some day"}`),
		record("f", 1, `{"amount":12345678}`),
		record("g", 1, `{"amount":null}`),
		record("h", 1, `{"number":"taken"}`),
		record(strings.Repeat("k", 256), 1, `{}`),
	))
	for i, want := range []destination.Result{
		{Kind: destination.Delivered}, {Kind: destination.Dependency, Code: "1452"}, {Kind: destination.Rejected, Code: "4025"},
		{Kind: destination.Rejected, Code: "1406"}, {Kind: destination.Rejected, Code: "1292"}, {Kind: destination.Rejected, Code: "1264"},
		{Kind: destination.Delivered}, {Kind: destination.Rejected, Code: "1048"}, {Kind: destination.Rejected, Code: "1406"},
	} {
		if results[i].Kind != want.Kind || results[i].Code != want.Code {
			t.Errorf("record %d: %+v, want %v %s", i, results[i], want.Kind, want.Code)
		}
	}
	if got := rows(t, url, "invoices"); len(got) != 3 {
		t.Errorf("%d rows: %v", len(got), got)
	}
}

// Keys that differ in case, accents or spaces at their end are different records.
func TestKeysAreExact(t *testing.T) {
	url := mariadbtest.URL(t)
	for _, remove := range []string{"soft", "hard"} {
		m := start(t, settings{URL: url, Delete: remove, TablePrefix: remove + "_"})
		var list []destination.Record
		for _, id := range []string{"a", "A", "á", "a ", "a\t", " a", "ａ"} {
			list = append(list, record(id, 1, fmt.Sprintf(`{"memo":%q}`, id)))
		}
		if _, err := m.Write(t.Context(), records(list...)); err != nil {
			t.Fatal(err)
		}
		drop := record("a", 2, `{}`)
		drop.Operation = destination.Delete
		if _, err := m.Write(t.Context(), records(drop)); err != nil {
			t.Fatal(err)
		}
		living := 0
		for _, r := range rows(t, url, remove+"_invoices") {
			if r["_deleted_at"] == "" {
				living++
			}
			if r["_platform_id"] != r["memo"] {
				t.Errorf("%s: %q has the memo %q", remove, r["_platform_id"], r["memo"])
			}
		}
		if living != len(list)-1 {
			t.Errorf("%s: %d rows live, want %d", remove, living, len(list)-1)
		}
	}
}

// A reader that holds the table back must not let a change of it wait for ever.
func TestAlterDoesNotWaitForEver(t *testing.T) {
	url := mariadbtest.URL(t)
	m := start(t, settings{URL: url, MaxConnections: 1})
	if _, err := m.Write(t.Context(), records(record("a", 1, `{"amount":1}`))); err != nil {
		t.Fatal(err)
	}
	if _, err := m.db.pool.ExecContext(t.Context(), "SET lock_wait_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	tx, err := visit(t, url).pool.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "SELECT * FROM invoices"); err != nil {
		t.Fatal(err)
	}
	_, err = m.Write(t.Context(), records(record("a", 2, `{"brand_new":1}`)))
	f, ok := errors.AsType[*destination.Failure](err)
	if !ok || f.Kind != destination.Retry || f.Code != "1205" {
		t.Errorf("got %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	results, err := m.Write(t.Context(), records(record("a", 2, `{"brand_new":1}`)))
	if err != nil || results[0].Kind != destination.Delivered {
		t.Errorf("%v %v", results, err)
	}
}

// A server that is killed between a write and its answer, and comes back, has what
// was acknowledged, and takes the repetition.
func TestServerIsKilled(t *testing.T) {
	server, url := mariadbtest.Own(t)
	m := start(t, settings{URL: url})
	acknowledged := 0
	for range 2 {
		first := acknowledged
		crashed, killer := make(chan struct{}), (*time.Timer)(nil)
		for ; ; first += 10 {
			var list []destination.Record
			for i := range 10 {
				list = append(list, record(fmt.Sprint(first+i), 1, `{"memo":"m"}`))
			}
			results, err := m.Write(t.Context(), records(list...))
			if f, ok := errors.AsType[*destination.Failure](err); err != nil && (!ok || f.Kind != destination.Retry) {
				t.Fatalf("got %v, want retry", err)
			}
			if err != nil || results[0].Kind == destination.Retry {
				break
			}
			acknowledged = first + 10
			if killer == nil {
				killer = time.AfterFunc(50*time.Millisecond, func() { server.Crash(t); close(crashed) })
			}
		}
		if killer == nil {
			t.Fatal("the first write of the round was not taken")
		}
		<-crashed
		server.Start(t)
	}
	results, err := m.Write(t.Context(), records(record("0", 2, `{"memo":"again"}`)))
	if err != nil || results[0].Kind != destination.Delivered {
		t.Fatalf("%v %v", results, err)
	}
	there := map[string]bool{}
	for _, r := range rows(t, url, "invoices") {
		there[r["_platform_id"]] = true
	}
	for i := range acknowledged {
		if !there[fmt.Sprint(i)] {
			t.Errorf("record %d of %d is missing", i, acknowledged)
		}
	}
}

func TestBadSettings(t *testing.T) {
	for name, raw := range map[string]string{
		"no url": `{}`, "empty url": `{"url":""}`, "no database": `{"url":"mysql://u@h/"}`, "no user": `{"url":"mysql://h/d"}`, "scheme": `{"url":"postgres://u@h/d"}`,
		"parameter": `{"url":"mysql://u@h/d?allowAllFiles=true"}`, "tls": `{"url":"mysql://u@h/d?tls=maybe"}`, "two places": `{"url":"mysql://u@h/d?socket=/s"}`,
		"delete": `{"url":"mysql://u@h/d","delete":"maybe"}`, "connections": `{"url":"mysql://u@h/d","max_connections":-1}`,
		"prefix": `{"url":"mysql://u@h/d","table_prefix":"` + strings.Repeat("p", 33) + `"}`,
	} {
		m := &mySQL{}
		if err := m.Configure(t.Context(), json.RawMessage(raw)); err == nil {
			t.Errorf("%s: accepted", name)
			_ = m.Close()
		}
	}
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"mysql://u:p%40ss@db.example.com/books":           "u:p@ss@tcp(db.example.com:3306)/books",
		"mariadb://u@[::1]:3307/books?tls=true":           "u@tcp([::1]:3307)/books",
		"mysql://u@/books?socket=/run/mysqld/mysqld.sock": "u@unix(/run/mysqld/mysqld.sock)/books",
		"mysql://u@127.0.0.1:3306/books?tls=false":        "u@tcp(127.0.0.1:3306)/books",
	} {
		c, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if dsn, _, _ := strings.Cut(c.FormatDSN(), "?"); dsn != want {
			t.Errorf("%s: got %s, want %s", text, dsn, want)
		}
	}
}
