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

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/sluicehq/sluice/internal/clickhousetest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

func TestFault(t *testing.T) {
	e := func(code int32) error { return fmt.Errorf("write: %w", &clickhouse.Exception{Code: code}) }
	add := func(code int32) error {
		return sqlcore.Alteration{Add: &sqlcore.Column{Name: "c"}}.Refused(&clickhouse.Exception{Code: code})
	}
	widen := func(code int32) error {
		return sqlcore.Alteration{Widen: &sqlcore.Column{Name: "c"}}.Refused(&clickhouse.Exception{Code: code})
	}
	for name, tt := range map[string]struct {
		err  error
		want sqlcore.Fault
	}{
		"too many parts":      {e(252), sqlcore.Fault{Code: "252"}},
		"too many queries":    {e(202), sqlcore.Fault{Code: "202"}},
		"memory":              {e(241), sqlcore.Fault{Code: "241"}},
		"no table":            {e(60), sqlcore.Fault{Kind: sqlcore.Stale, Code: "60"}},
		"value":               {e(6), sqlcore.Fault{Kind: sqlcore.Bad, Code: "6"}},
		"constraint":          {e(469), sqlcore.Fault{Kind: sqlcore.Bad, Code: "469"}},
		"password":            {e(516), sqlcore.Fault{Kind: sqlcore.Setup, Code: "516"}},
		"column added twice":  {add(44), sqlcore.Fault{Kind: sqlcore.Clash, Code: "44"}},
		"column of a key":     {widen(524), sqlcore.Fault{Kind: sqlcore.Refused, Code: "524"}},
		"rights in an ALTER":  {widen(497), sqlcore.Fault{Kind: sqlcore.Setup, Code: "497"}},
		"cancelled":           {fmt.Errorf("x: %w", context.Canceled), sqlcore.Fault{Code: "CANCELLED"}},
		"connection was lost": {errors.New("EOF"), sqlcore.Fault{Code: "CONNECTION"}},
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
	good := clickhousetest.URL(t)
	at := func(change func(*url.URL)) settings {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return settings{URL: u.String()}
	}
	for name, tt := range map[string]struct {
		settings settings
		kind     destination.ResultKind
		codes    string
	}{
		"nobody listens":   {at(func(u *url.URL) { u.Host = "127.0.0.1:1" }), destination.Retry, "CONNECTION"},
		"no such database": {at(func(u *url.URL) { u.Path = "/none" }), destination.Misconfigured, "81"},
		"no such user":     {at(func(u *url.URL) { u.User = url.User("nobody") }), destination.Misconfigured, "192 516"},
		"wrong password": {
			at(func(u *url.URL) { u.User = url.UserPassword(clickhousetest.Reader, "wrong") }), destination.Misconfigured, "193 516",
		},
		"may only read": {
			at(func(u *url.URL) { u.User = url.UserPassword(clickhousetest.Reader, clickhousetest.ReaderPassword) }),
			destination.Misconfigured, "164",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, tt.settings)
			_, write := c.Write(t.Context(), records(record("a", 1, `{"memo":"m"}`)))
			for method, err := range map[string]error{"check": c.Check(t.Context()), "write": write} {
				f, ok := errors.AsType[*destination.Failure](err)
				if !ok || f.Kind != tt.kind || !strings.Contains(tt.codes, f.Code) {
					t.Errorf("%s: got %+v, want %v %s", method, err, tt.kind, tt.codes)
				}
			}
		})
	}
}

// The view has the newest row of each record that lives, with the columns that came
// later, and is made again where somebody dropped it.
func TestViewOfWhatLives(t *testing.T) {
	url := clickhousetest.URL(t)
	c := start(t, settings{URL: url})
	write := func(list ...destination.Record) {
		results, err := c.Write(t.Context(), records(list...))
		if err != nil || results[0].Kind != destination.Delivered {
			t.Fatalf("%v %v", results, err)
		}
	}
	write(record("a", 1, `{"memo":"one"}`), record("b", 1, `{"memo":"b"}`))
	write(record("a", 3, `{"memo":"three","later":1}`))
	write(record("a", 2, `{"memo":"two"}`))
	gone := record("b", 2, `{}`)
	gone.Operation = destination.Delete
	write(gone)
	exec(t, url, `DROP TABLE invoices_current`)
	c = start(t, settings{URL: url})
	write(record("c", 1, `{"memo":"c"}`))
	var ids, memos, later []string
	if err := visit(t, url).conn.QueryRow(t.Context(),
		"SELECT groupArray(_platform_id), groupArray(assumeNotNull(memo)), groupArray(toString(assumeNotNull(later))) FROM (SELECT * FROM invoices_current ORDER BY _platform_id)",
	).Scan(&ids, &memos, &later); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ids, " ") + " " + strings.Join(memos, " "); got != "a c three c" || !strings.HasPrefix(later[0], "1.0") {
		t.Errorf("%s, later %v", got, later)
	}
}

// A column that was widened is one of text for the next process too.
func TestWidenedColumnsStaySo(t *testing.T) {
	url := clickhousetest.URL(t)
	for version, value := range []string{`"2026-03-01T10:00:00Z"`, `"soon"`, `"later"`} {
		c := start(t, settings{URL: url})
		results, err := c.Write(t.Context(), records(record("a", int64(version), `{"when":`+value+`}`)))
		if err != nil || results[0].Kind != destination.Delivered {
			t.Fatalf("%v %v", results, err)
		}
	}
	columns, err := visit(t, url).Columns(t.Context(), "invoices")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		if c.Name == "when" && c.Kind != sqlcore.Text {
			t.Errorf("the column is %v", c)
		}
	}
}

// A server that is killed between a write and its answer, and comes back, takes the
// repetition, and answers for what it has.
func TestServerIsKilled(t *testing.T) {
	server, url := clickhousetest.Own(t)
	c := start(t, settings{URL: url})
	if _, err := c.Write(t.Context(), records(record("first", 1, `{"memo":"m"}`))); err != nil {
		t.Fatal(err)
	}
	crashed := make(chan struct{})
	time.AfterFunc(50*time.Millisecond, func() { server.Crash(t); close(crashed) })
	n := 0
	for ; ; n += 10 {
		var list []destination.Record
		for i := range 10 {
			list = append(list, record(fmt.Sprint(n+i), 1, `{"memo":"m"}`))
		}
		results, err := c.Write(t.Context(), records(list...))
		if f, ok := errors.AsType[*destination.Failure](err); err != nil && (!ok || f.Kind != destination.Retry) {
			t.Fatalf("got %v, want retry", err)
		}
		if err == nil && results[0].Kind == destination.Delivered {
			continue
		}
		if err == nil && results[0].Kind != destination.Retry {
			t.Fatalf("got %+v, want retry", results[0])
		}
		<-crashed
		server.Start(t)
		if results, err = c.Write(t.Context(), records(list...)); err != nil || results[0].Kind != destination.Delivered {
			t.Fatalf("%v %v", results, err)
		}
		break
	}
	if got := len(read(t, url, "invoices")); got != n+11 {
		t.Errorf("%d rows, want %d", got, n+11)
	}
}

func TestBadSettings(t *testing.T) {
	for name, raw := range map[string]string{
		"no url": `{}`, "empty url": `{"url":""}`, "no database": `{"url":"clickhouse://u@h:9000"}`, "scheme": `{"url":"http://h:8123/d"}`,
		"debug": `{"url":"clickhouse://u@h:9000/d?debug=true"}`, "port": `{"url":"clickhouse://u@h:port/d"}`, "connections": `{"url":"clickhouse://h/d","max_connections":-1}`,
		"prefix": `{"url":"clickhouse://h/d","table_prefix":"` + strings.Repeat("p", 33) + `"}`, "delete": `{"url":"clickhouse://h/d","delete":"hard"}`,
	} {
		c := &clickHouse{}
		if err := c.Configure(t.Context(), json.RawMessage(raw)); err == nil {
			t.Errorf("%s: accepted", name)
			_ = c.Close()
		}
	}
}
