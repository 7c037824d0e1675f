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

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

func TestFault(t *testing.T) {
	state := func(code string) error { return fmt.Errorf("write: %w", &pgconn.PgError{Code: code}) }
	for name, tt := range map[string]struct {
		err  error
		want sqlcore.Fault
	}{
		"serialization":       {state("40001"), sqlcore.Fault{Kind: sqlcore.Clash, Code: "40001"}},
		"deadlock":            {state("40P01"), sqlcore.Fault{Kind: sqlcore.Clash, Code: "40P01"}},
		"connection":          {state("08006"), sqlcore.Fault{Code: "08006"}},
		"shutdown":            {state("57P01"), sqlcore.Fault{Code: "57P01"}},
		"too many clients":    {state("53300"), sqlcore.Fault{Code: "53300"}},
		"disk full":           {state("53100"), sqlcore.Fault{Code: "53100"}},
		"a standby":           {state("25006"), sqlcore.Fault{Code: "25006"}},
		"lock timeout":        {state("55P03"), sqlcore.Fault{Code: "55P03"}},
		"password":            {state("28P01"), sqlcore.Fault{Kind: sqlcore.Setup, Code: "28P01"}},
		"rights":              {state("42501"), sqlcore.Fault{Kind: sqlcore.Setup, Code: "42501"}},
		"no database":         {state("3D000"), sqlcore.Fault{Kind: sqlcore.Setup, Code: "3D000"}},
		"no table":            {state("42P01"), sqlcore.Fault{Kind: sqlcore.Stale, Code: "42P01"}},
		"no column":           {state("42703"), sqlcore.Fault{Kind: sqlcore.Stale, Code: "42703"}},
		"value":               {state("22003"), sqlcore.Fault{Kind: sqlcore.Bad, Code: "22003"}},
		"constraint":          {state("23514"), sqlcore.Fault{Kind: sqlcore.Bad, Code: "23514"}},
		"foreign key":         {state("23503"), sqlcore.Fault{Kind: sqlcore.Orphan, Code: "23503"}},
		"used by a view":      {state("0A000"), sqlcore.Fault{Kind: sqlcore.Refused, Code: "0A000"}},
		"cancelled":           {fmt.Errorf("x: %w", context.Canceled), sqlcore.Fault{Code: "CANCELLED"}},
		"connection was lost": {errors.New("unexpected EOF"), sqlcore.Fault{Code: "CONNECTION"}},
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
	good := pgtest.URL(t)
	at := func(change func(*url.URL)) string {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	exec(t, good, "CREATE ROLE guest LOGIN", "CREATE SCHEMA closed", "CREATE SCHEMA ajar", "GRANT USAGE ON SCHEMA ajar TO guest",
		"REVOKE CREATE ON DATABASE "+strings.TrimPrefix(mustParse(t, good).Path, "/")+" FROM PUBLIC")
	guest := at(func(u *url.URL) { u.User = url.User("guest") })
	readOnly := at(func(u *url.URL) { u.RawQuery += "&default_transaction_read_only=on" })
	for name, tt := range map[string]struct {
		settings settings
		kind     destination.ResultKind
		code     string
	}{
		"nobody listens":     {settings{URL: at(func(u *url.URL) { u.Host = "127.0.0.1:1" })}, destination.Retry, "CONNECTION"},
		"no such database":   {settings{URL: at(func(u *url.URL) { u.Path = "/none" })}, destination.Misconfigured, "3D000"},
		"no such user":       {settings{URL: at(func(u *url.URL) { u.User = url.User("nobody") })}, destination.Misconfigured, "28000"},
		"no right to create": {settings{URL: guest, Schema: "rootfi"}, destination.Misconfigured, "42501"},
		"no right to use":    {settings{URL: guest, Schema: "closed"}, destination.Misconfigured, "42501"},
		"no right to make":   {settings{URL: guest, Schema: "ajar"}, destination.Misconfigured, "42501"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, tt.settings)
			_, write := p.Write(t.Context(), records(record("a", 1, `{"memo":"m"}`)))
			for method, err := range map[string]error{"check": p.Check(t.Context()), "write": write} {
				f, ok := errors.AsType[*destination.Failure](err)
				if !ok || f.Kind != tt.kind || f.Code != tt.code {
					t.Errorf("%s: got %+v, want %v %s", method, err, tt.kind, tt.code)
				}
			}
		})
	}
	t.Run("read-only", func(t *testing.T) {
		p := start(t, settings{URL: readOnly})
		f, ok := errors.AsType[*destination.Failure](p.Check(t.Context()))
		if !ok || f.Kind != destination.Misconfigured || f.Code != "READ_ONLY" {
			t.Errorf("got %+v", f)
		}
	})
	t.Run("rights", func(t *testing.T) {
		exec(t, good, "CREATE SCHEMA theirs AUTHORIZATION guest")
		p := start(t, settings{URL: guest, Schema: "theirs"})
		if err := p.Check(t.Context()); err != nil {
			t.Error(err)
		}
		results, err := p.Write(t.Context(), records(record("a", 1, `{"memo":"m"}`)))
		if err != nil || results[0].Kind != destination.Delivered {
			t.Errorf("%v %v", results, err)
		}
	})
}

func mustParse(t *testing.T, text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A foreign key of the warehouse's owner makes a record wait for its parent; a
// type or a constraint that it breaks rejects it.
func TestRulesOfTheOwner(t *testing.T) {
	url := pgtest.URL(t)
	p := start(t, settings{URL: url})
	write := func(b destination.Batch) []destination.Result {
		results, err := p.Write(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	write(records(record("first", 1, `{"contact_id":null}`)))
	exec(t, url, "CREATE TABLE rootfi.people (id text PRIMARY KEY)", "INSERT INTO rootfi.people VALUES ('known')",
		`ALTER TABLE rootfi.invoices ADD contact_id text REFERENCES rootfi.people, ADD amount numeric(6,2) CHECK (amount >= 0), ADD code varchar(3), ADD day date`)
	p = start(t, settings{URL: url})
	results := write(records(
		record("a", 1, `{"contact_id":"known","amount":1.10,"code":"abc","day":"2026-03-01"}`),
		record("b", 1, `{"contact_id":"unknown"}`),
		record("c", 1, `{"amount":-1}`),
		record("d", 1, `{"code":"abcd"}`),
		record("e", 1, `{"day":"some day"}`),
		record("f", 1, `{"amount":12345678}`),
		record("g", 1, `{"amount":null}`),
	))
	for i, want := range []destination.Result{
		{Kind: destination.Delivered}, {Kind: destination.Dependency, Code: "23503"}, {Kind: destination.Rejected, Code: "23514"},
		{Kind: destination.Rejected, Code: "22001"}, {Kind: destination.Rejected, Code: "22007"}, {Kind: destination.Rejected, Code: "22003"},
		{Kind: destination.Delivered},
	} {
		if results[i].Kind != want.Kind || results[i].Code != want.Code {
			t.Errorf("record %d: %+v, want %v %s", i, results[i], want.Kind, want.Code)
		}
	}
}

// A number of 38 digits comes back digit by digit, also as numeric.
func TestExactNumbers(t *testing.T) {
	url := pgtest.URL(t)
	p := start(t, settings{URL: url})
	const number = "1234567890123456789012345678.9012345670"
	if _, err := p.Write(t.Context(), records(record("a", 1, `{"amount":`+number+`,"id":9223372036854775807}`))); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var kind, text string
	if err := c.QueryRow(t.Context(), "SELECT pg_typeof(amount)::text, amount::text FROM rootfi.invoices WHERE id = 9223372036854775807").Scan(&kind, &text); err != nil {
		t.Fatal(err)
	}
	if kind != "numeric" || text != number {
		t.Errorf("%s %s", kind, text)
	}
}

// A reader that holds the table back must not let a change of it wait for ever.
func TestAlterDoesNotWaitForEver(t *testing.T) {
	url := pgtest.URL(t)
	p := start(t, settings{URL: url})
	p.db.patience = "200ms"
	if _, err := p.Write(t.Context(), records(record("a", 1, `{"amount":1}`))); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), "BEGIN; SELECT * FROM rootfi.invoices"); err != nil {
		t.Fatal(err)
	}
	_, err = p.Write(t.Context(), records(record("a", 2, `{"brand_new":1}`)))
	f, ok := errors.AsType[*destination.Failure](err)
	if !ok || f.Kind != destination.Retry || f.Code != "55P03" {
		t.Errorf("got %v", err)
	}
	if _, err := c.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	results, err := p.Write(t.Context(), records(record("a", 2, `{"brand_new":1}`)))
	if err != nil || results[0].Kind != destination.Delivered {
		t.Errorf("%v %v", results, err)
	}
}

func TestBadSettings(t *testing.T) {
	for name, raw := range map[string]string{
		"no url": `{}`, "empty url": `{"url":""}`, "delete": `{"url":"postgres://h/d","delete":"maybe"}`, "connections": `{"url":"postgres://h/d","max_connections":-1}`,
		"schema": `{"url":"postgres://h/d","schema":"` + strings.Repeat("s", 64) + `"}`,
	} {
		p := &postgres{}
		if err := p.Configure(t.Context(), json.RawMessage(raw)); err == nil {
			t.Errorf("%s: accepted", name)
			_ = p.Close()
		}
	}
}

// Poolers between us and the server may not keep prepared statements.
func TestWithoutPreparedStatements(t *testing.T) {
	for _, mode := range []string{"cache_describe", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			url := pgtest.URL(t)
			p := start(t, settings{URL: url + "&default_query_exec_mode=" + mode})
			for version := range int64(2) {
				results, err := p.Write(t.Context(), records(
					record("a", version, `{"memo":"it's \\ \"quoted\", {braces}, NULL, ü","amount":1.10,"lines":[1,null],"paid":true}`),
					record("b", version, `{"memo":"","amount":null,"lines":null,"paid":null}`)))
				if err != nil || results[0].Kind != destination.Delivered || results[1].Kind != destination.Delivered {
					t.Fatalf("%+v %v", results, err)
				}
			}
			got := pgtest.Rows(t, url, "rootfi", "invoices")
			if len(got) != 2 || got[0]["memo"] != `it's \ "quoted", {braces}, NULL, ü` || got[0]["amount"] != "1.10" || got[1]["memo"] != "" {
				t.Errorf("%v", got)
			}
			if err := p.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
