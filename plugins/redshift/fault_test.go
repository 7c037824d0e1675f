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

	"github.com/jackc/pgx/v5/pgconn"
	fake "github.com/sluicehq/sluice/internal/fake/redshift"
	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

func TestFault(t *testing.T) {
	state := func(code, message string) error {
		return fmt.Errorf("write: %w", &pgconn.PgError{Code: code, Message: message})
	}
	for name, tt := range map[string]struct {
		err  error
		want sqlcore.Fault
	}{
		"serializable":        {state("XX000", "1023"+"DETAIL: Serializable isolation violation on table - 100"), sqlcore.Fault{Kind: sqlcore.Clash, Code: "1023"}},
		"internal":            {state("XX000", "something else"), sqlcore.Fault{Code: "XX000"}},
		"a digit":             {state("XX000", "Invalid digit, Value 'n'"), sqlcore.Fault{Kind: sqlcore.Bad, Code: "1207"}},
		"deadlock":            {state("40P01", ""), sqlcore.Fault{Kind: sqlcore.Clash, Code: "40P01"}},
		"table was made":      {state("42P07", ""), sqlcore.Fault{Kind: sqlcore.Clash, Code: "42P07"}},
		"two make the schema": {race(state("23505", "")), sqlcore.Fault{Kind: sqlcore.Clash, Code: "RACE"}},
		"maintenance":         {state("57P01", ""), sqlcore.Fault{Code: "57P01"}},
		"too many":            {state("53300", ""), sqlcore.Fault{Code: "53300"}},
		"queue timeout":       {state("57014", ""), sqlcore.Fault{Code: "57014"}},
		"password":            {state("28P01", ""), sqlcore.Fault{Kind: sqlcore.Setup, Code: "28P01"}},
		"rights":              {state("42501", ""), sqlcore.Fault{Kind: sqlcore.Setup, Code: "42501"}},
		"no table":            {state("42P01", ""), sqlcore.Fault{Kind: sqlcore.Stale, Code: "42P01"}},
		"value":               {state("22003", ""), sqlcore.Fault{Kind: sqlcore.Bad, Code: "22003"}},
		"too long":            {&tooLong{"memo"}, sqlcore.Fault{Kind: sqlcore.Bad, Code: "22001"}},
		"used by a view":      {state("2BP01", ""), sqlcore.Fault{Kind: sqlcore.Refused, Code: "2BP01"}},
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

// What goes wrong on the way costs a repetition and nothing else.
func TestPlayedFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		fault fake.Fault
		kind  destination.ResultKind // of the first write
		code  string
	}{
		"a conflict is tried again at once":  {fake.Fault{Contains: "UPDATE", Times: 2, Code: "XX000", Message: "1023 Serializable isolation violation on table"}, destination.Delivered, ""},
		"conflicts without end":              {fake.Fault{Contains: "UPDATE", Times: 4, Code: "XX000", Message: "1023 Serializable isolation violation on table"}, destination.Retry, "1023"},
		"no slot in the queue":               {fake.Fault{Contains: "UPDATE", Times: 1, Code: "57014", Message: "cancelled by a query monitoring rule"}, destination.Retry, "57014"},
		"the connection is lost":             {fake.Fault{Contains: "INSERT INTO sluice_rows", Times: 1}, destination.Retry, "CONNECTION"},
		"the answer to the COMMIT is lost":   {fake.Fault{Contains: "COMMIT", Times: 1, AfterAnswer: true}, destination.Retry, "CONNECTION"},
		"the rights are taken":               {fake.Fault{Contains: "UPDATE", Times: 1, Code: "42501", Message: "permission denied"}, destination.Misconfigured, "42501"},
		"the lock is refused by a resize":    {fake.Fault{Contains: "LOCK TABLE", Times: 1, Code: "57P01", Message: "terminating connection"}, destination.Retry, "57P01"},
		"a rollback is lost with its reason": {fake.Fault{Contains: "ROLLBACK", Times: 1}, destination.Delivered, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			server := before(t, url)
			r := start(t, settings{URL: server.URL()})
			if results, err := r.Write(t.Context(), records(record("first", 1, `{"memo":"m"}`))); err != nil || results[0].Kind != destination.Delivered {
				t.Fatal(results, err)
			}
			server.Play(tt.fault)
			results, err := r.Write(t.Context(), records(record("a", 1, `{"memo":"a"}`)))
			if err != nil || results[0].Kind != tt.kind || results[0].Code != tt.code {
				t.Errorf("got %+v %v, want %v %s", results, err, tt.kind, tt.code)
			}
			for range 2 {
				if results, err := r.Write(t.Context(), records(record("a", 1, `{"memo":"a"}`))); err != nil || results[0].Kind != destination.Delivered {
					t.Errorf("again: %+v %v", results, err)
				}
			}
			if got := pgtest.Rows(t, url, "rootfi", "invoices"); len(got) != 2 {
				t.Errorf("%d rows, want 2: %v", len(got), got)
			}
		})
	}
}

// Text is measured in bytes, and a record with more than a column takes is alone
// in being refused.
func TestTextThatIsTooLong(t *testing.T) {
	url := pgtest.URL(t)
	r := start(t, settings{URL: before(t, url).URL()})
	results, err := r.Write(t.Context(), records(
		record("a", 1, `{"memo":"`+strings.Repeat("ü", maxText/2)+`"}`),
		record("b", 1, `{"memo":"`+strings.Repeat("ü", maxText/2+1)+`"}`),
		record("c", 1, `{"memo":"m"}`)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []destination.ResultKind{destination.Delivered, destination.Rejected, destination.Delivered} {
		if results[i].Kind != want {
			t.Errorf("record %d: %+v, want %v", i, results[i], want)
		}
	}
	if results[1].Code != "22001" || strings.Contains(results[1].Message, "üü") || !strings.Contains(results[1].Message, `"memo"`) {
		t.Errorf("got %.200v", results[1])
	}
}

func TestWidth(t *testing.T) {
	of := func(n int) *string { s := strings.Repeat("x", n); return &s }
	for n, want := range map[int]int{0: 16, 16: 16, 17: 32, 200: 256, 40000: 65535, 65535: 65535} {
		if got := width([]*string{nil, of(n), of(1)}); got != want {
			t.Errorf("%d bytes: varchar(%d), want %d", n, got, want)
		}
	}
}

// A batch of many fields takes more parameters than one statement may have.
func TestManyParameters(t *testing.T) {
	url := pgtest.URL(t)
	r := start(t, settings{URL: before(t, url).URL()})
	var list []destination.Record
	for i := range 500 {
		fields := map[string]int{}
		for f := range 100 {
			fields[fmt.Sprintf("f%d", f)] = i
		}
		raw, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, record(fmt.Sprintf("r%d", i), 1, string(raw)))
	}
	results, err := r.Write(t.Context(), records(list...))
	if err != nil || results[499].Kind != destination.Delivered {
		t.Fatal(results[499], err)
	}
	if got := pgtest.Rows(t, url, "rootfi", "invoices"); len(got) != 500 {
		t.Errorf("%d rows", len(got))
	}
}

func TestWhatIsWrongWithTheDatabase(t *testing.T) {
	upstream := pgtest.URL(t)
	good := before(t, upstream).URL()
	at := func(change func(*url.URL)) string {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	exec(t, upstream, "CREATE ROLE guest LOGIN", "CREATE SCHEMA closed")
	guest := at(func(u *url.URL) { u.User = url.User("guest") })
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
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, tt.settings)
			_, write := r.Write(t.Context(), records(record("a", 1, `{"memo":"m"}`)))
			for method, err := range map[string]error{"check": r.Check(t.Context()), "write": write} {
				f, ok := errors.AsType[*destination.Failure](err)
				if !ok || f.Kind != tt.kind || f.Code != tt.code {
					t.Errorf("%s: got %+v, want %v %s", method, err, tt.kind, tt.code)
				}
			}
		})
	}
}

func TestBadSettings(t *testing.T) {
	for name, raw := range map[string]string{
		"no url": `{}`, "empty url": `{"url":""}`, "delete": `{"url":"postgres://h/d","delete":"maybe"}`, "connections": `{"url":"postgres://h/d","max_connections":-1}`,
		"schema": `{"url":"postgres://h/d","schema":"` + strings.Repeat("s", 64) + `"}`,
	} {
		r := &redshift{}
		if err := r.Configure(t.Context(), json.RawMessage(raw)); err == nil {
			t.Errorf("%s: accepted", name)
			_ = r.Close()
		}
	}
}
