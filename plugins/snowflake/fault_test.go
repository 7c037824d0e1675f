package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	fake "github.com/sluicehq/sluice/internal/fake/snowflake"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

func TestFault(t *testing.T) {
	tomorrow := time.Now().Add(20 * time.Hour).UTC().Truncate(time.Second)
	for name, tt := range map[string]struct {
		err  error
		want sqlcore.Fault
	}{
		"aborted for a lock": {&apiError{status: 422, code: "000625"}, sqlcore.Fault{Kind: sqlcore.Clash, Code: "000625"}},
		"being altered":      {&apiError{status: 422, code: "100038", message: "Numeric value '" + beingAltered + " x' is not recognized"}, sqlcore.Fault{Kind: sqlcore.Clash, Code: "ALTERED"}},
		"a value":            {&apiError{status: 422, code: "100038", message: "Numeric value 'x' is not recognized"}, sqlcore.Fault{Kind: sqlcore.Bad, Code: "100038"}},
		"no table":           {&apiError{status: 422, code: "002003"}, sqlcore.Fault{Kind: sqlcore.Stale, Code: "002003"}},
		"no column":          {&apiError{status: 422, code: "000904"}, sqlcore.Fault{Kind: sqlcore.Stale, Code: "000904"}},
		"wrong SQL":          {&apiError{status: 422, code: "001003"}, sqlcore.Fault{Kind: sqlcore.Setup, Code: "001003"}},
		"no right":           {&apiError{status: 422, code: "003001"}, sqlcore.Fault{Kind: sqlcore.Setup, Code: "003001"}},
		"used by a policy":   {&apiError{status: 422, code: "000002", message: "Cannot drop column 'X' which is used"}, sqlcore.Fault{Kind: sqlcore.Refused, Code: "000002"}},
		"timeout":            {&apiError{status: 408}, sqlcore.Fault{Code: "HTTP_408"}},
		"503":                {&apiError{status: 503}, sqlcore.Fault{Code: "HTTP_503"}},
		"503 with a date":    {&apiError{status: 503, retryAfter: tomorrow.Format(http.TimeFormat)}, sqlcore.Fault{Kind: sqlcore.Busy, Code: "HTTP_503", Until: tomorrow}},
		"no such account":    {&apiError{status: 404}, sqlcore.Fault{Kind: sqlcore.Setup, Code: "HTTP_404"}},
		"connection":         {errors.New("EOF"), sqlcore.Fault{Code: "CONNECTION"}},
	} {
		if got := (&database{}).Fault(tt.err); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestSwap(t *testing.T) {
	for name, want := range map[string]string{
		"invoices": "INVOICES", "_company_id": "_COMPANY_ID", "INVOICES": "invoices", "Total": "Total", "a1": "A1", "12": "12", "ü": "ü", "": "",
	} {
		if got := swap(name); got != want || swap(got) != name {
			t.Errorf("%q: %q and back %q, want %q", name, got, swap(got), want)
		}
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

// outcome is what a write of one record gives, as a result or as an error.
func outcome(t *testing.T, s *snowflake, r destination.Record) destination.Result {
	t.Helper()
	results, err := s.Write(t.Context(), records(r))
	if f, ok := errors.AsType[*destination.Failure](err); ok {
		return destination.Result{Kind: f.Kind, Code: f.Code, Until: f.Until, Message: f.Error()}
	} else if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

// What goes wrong on the way costs a repetition and nothing else.
func TestPlayedFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		fault fake.Fault
		kind  destination.ResultKind // of the first write
		code  string
	}{
		"a conflict is tried again at once":     {fake.Fault{Contains: "MERGE", Times: 2, Status: 422, Code: "000625"}, destination.Delivered, ""},
		"conflicts without end":                 {fake.Fault{Contains: "MERGE", Times: 4, Status: 422, Code: "000625"}, destination.Retry, "000625"},
		"too many requests":                     {fake.Fault{Contains: "INSERT INTO", Times: 1, Status: 429}, destination.Throttled, "HTTP_429"},
		"a budget that is used up":              {fake.Fault{Contains: "MERGE", Times: 1, Status: 422, Code: "090073"}, destination.Throttled, "090073"},
		"503":                                   {fake.Fault{Contains: "MERGE", Times: 1, Status: 503}, destination.Retry, "HTTP_503"},
		"a statement takes too long":            {fake.Fault{Contains: "MERGE", Times: 1, Status: 408}, destination.Retry, "HTTP_408"},
		"the connection is lost once":           {fake.Fault{Contains: "MERGE", Times: 1}, destination.Delivered, ""},
		"the connection is lost":                {fake.Fault{Contains: "MERGE", Times: 2}, destination.Retry, "CONNECTION"},
		"the answer is lost":                    {fake.Fault{Contains: "MERGE", Times: 1, AfterWork: true}, destination.Delivered, ""},
		"the answer to the staging is lost":     {fake.Fault{Contains: "INSERT INTO", Times: 1, AfterWork: true}, destination.Delivered, ""},
		"the answer comes late":                 {fake.Fault{Contains: "MERGE", Times: 1, Slow: true}, destination.Delivered, ""},
		"a token that is no good any more":      {fake.Fault{Contains: "MERGE", Times: 1, Status: 401, Code: "390144"}, destination.Delivered, ""},
		"tokens that are no good":               {fake.Fault{Contains: "MERGE", Times: 9, Status: 401, Code: "390144"}, destination.Misconfigured, "HTTP_401"},
		"the rights are taken":                  {fake.Fault{Contains: "MERGE", Times: 1, Status: 422, Code: "003001", Message: "Insufficient privileges"}, destination.Misconfigured, "003001"},
		"somebody drops the staging beforehand": {fake.Fault{Contains: "INSERT INTO", Times: 1, Status: 422, Code: "002003"}, destination.Delivered, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, o := serveFake(t)
			s := start(t, o)
			if got := outcome(t, s, record("first", 1, `{"memo":"m"}`)); got.Kind != destination.Delivered {
				t.Fatal(got)
			}
			server.Play(tt.fault)
			got := outcome(t, s, record("a", 1, `{"memo":"a"}`))
			if got.Kind != tt.kind || got.Code != tt.code || (got.Kind == destination.Throttled) != got.Until.After(time.Now()) {
				t.Errorf("got %+v, want %v %s", got, tt.kind, tt.code)
			}
			server.Heal()
			for range 2 {
				if got := outcome(t, s, record("a", 1, `{"memo":"a"}`)); got.Kind != destination.Delivered {
					t.Errorf("again: %+v", got)
				}
			}
			if found := rows(server, "ANALYTICS.ROOTFI.INVOICES"); len(found) != 2 {
				t.Errorf("%d rows, want 2: %v", len(found), found)
			}
		})
	}
}

func sql(t *testing.T, server *fake.Server, text string) {
	t.Helper()
	session := server.Engine().Session()
	defer session.Close()
	if _, err := session.Run(text, nil); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// While another process alters a table, nobody writes.
func TestLockOfTheAlteringProcess(t *testing.T) {
	server, o := serveFake(t)
	s := start(t, o)
	if got := outcome(t, s, record("a", 1, `{"memo":"m","amount":1}`)); got.Kind != destination.Delivered {
		t.Fatal(got)
	}
	const lock = "UPDATE ANALYTICS.ROOTFI._SLUICE_LOCK SET holder = 'other', until = "
	sql(t, server, lock+"TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 15 MINUTE)")
	for _, field := range []string{`"memo":"n"`, `"amount":"n/a"`} {
		if got := outcome(t, s, record("a", 2, `{`+field+`}`)); got.Kind != destination.Retry || got.Code != "ALTERED" {
			t.Errorf("%s: got %+v", field, got)
		}
	}
	// A process that died holding it is not waited for without end.
	sql(t, server, lock+"'2026-01-01T00:00:00Z'::TIMESTAMP_TZ")
	if got := outcome(t, s, record("a", 2, `{"amount":"n/a"}`)); got.Kind != destination.Delivered {
		t.Errorf("got %+v", got)
	}
}

// A process dies while it widens a column: the next change of the table finishes
// or forgets what it did.
func TestHeal(t *testing.T) {
	for name, left := range map[string]string{
		"before the old column was dropped": "ALTER TABLE ANALYTICS.ROOTFI.INVOICES ADD COLUMN _SLUICE_ASIDE_AMOUNT VARCHAR",
		"after": `ALTER TABLE ANALYTICS.ROOTFI.INVOICES ADD COLUMN _SLUICE_ASIDE_AMOUNT VARCHAR;
UPDATE ANALYTICS.ROOTFI.INVOICES SET _SLUICE_ASIDE_AMOUNT = '12.5';
ALTER TABLE ANALYTICS.ROOTFI.INVOICES DROP COLUMN AMOUNT`,
	} {
		t.Run(name, func(t *testing.T) {
			server, o := serveFake(t)
			if got := outcome(t, start(t, o), record("a", 1, `{"amount":12.5}`)); got.Kind != destination.Delivered {
				t.Fatal(got)
			}
			sql(t, server, left)
			if got := outcome(t, start(t, o), record("b", 1, `{"amount":"n/a","other":1}`)); got.Kind != destination.Delivered {
				t.Fatal(got)
			}
			found := rows(server, "ANALYTICS.ROOTFI.INVOICES")
			if len(found) != 2 || found[0]["amount"] != "12.5" || found[1]["amount"] != "n/a" {
				t.Errorf("got %v", found)
			}
			columns, _ := server.Engine().Table("ANALYTICS.ROOTFI.INVOICES")
			for _, c := range columns {
				if strings.HasPrefix(c.Name, "_SLUICE") {
					t.Errorf("column %s is left", c.Name)
				}
			}
		})
	}
}

// What a lost request left in the staging table goes a day later, and not before.
func TestCleanup(t *testing.T) {
	server, o := serveFake(t)
	s := start(t, o)
	if got := outcome(t, s, record("a", 1, `{"memo":"m"}`)); got.Kind != destination.Delivered {
		t.Fatal(got)
	}
	sql(t, server, `INSERT INTO ANALYTICS.ROOTFI._SLUICE_ROWS (id, body, staged_at) SELECT 'old', '[]', '2026-01-01T00:00:00Z'::TIMESTAMP_TZ;
INSERT INTO ANALYTICS.ROOTFI._SLUICE_ROWS (id, body, staged_at) SELECT 'new', '[]', CURRENT_TIMESTAMP()`)
	if got := outcome(t, s, record("a", 2, `{"memo":"m"}`)); got.Kind != destination.Delivered {
		t.Fatal(got)
	}
	left := server.Engine().Rows("ANALYTICS.ROOTFI._SLUICE_ROWS")
	if len(left) != 1 || left[0]["ID"] != "new" {
		t.Errorf("got %v", left)
	}
}

func TestWhatIsWrongWithTheAccount(t *testing.T) {
	_, good := serveFake(t)
	for name, tt := range map[string]struct {
		change func(*settings)
		code   string
	}{
		"another key":      {func(o *settings) { o.PrivateKey = newPair().pem }, "HTTP_401"},
		"another user":     {func(o *settings) { o.User = "somebody" }, "HTTP_401"},
		"another account":  {func(o *settings) { o.Account = "other" }, "HTTP_401"},
		"no such database": {func(o *settings) { o.Database = "nowhere" }, "002003"},
		"no warehouse":     {func(o *settings) { o.Warehouse = "none" }, "000606"},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			tt.change(&o)
			s := start(t, o)
			f, ok := errors.AsType[*destination.Failure](s.Check(t.Context()))
			if !ok || f.Kind != destination.Misconfigured || f.Code != tt.code {
				t.Errorf("check: got %+v", f)
			}
			if got := outcome(t, s, record("a", 1, `{"memo":"m"}`)); got.Kind != destination.Misconfigured || got.Code != tt.code {
				t.Errorf("write: got %+v", got)
			}
		})
	}
	if err := start(t, good).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// Keys are rotated without a restart of anything but the settings: a token of the
// old key is refused at once.
func TestRotatedKey(t *testing.T) {
	server, o := serveFake(t)
	s := start(t, o)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := newPair()
	server.SetKey("MYORG-PROD.SLUICE", fresh.public)
	if got := outcome(t, s, record("a", 1, `{"memo":"m"}`)); got.Kind != destination.Misconfigured {
		t.Errorf("the old key: %+v", got)
	}
	o.PrivateKey = fresh.pem
	if got := outcome(t, start(t, o), record("a", 1, `{"memo":"m"}`)); got.Kind != destination.Delivered {
		t.Errorf("the new key: %+v", got)
	}
}

func TestBadSettings(t *testing.T) {
	good := map[string]string{"account": "a-b", "user": "u", "database": "d", "private_key": pair().pem}
	for name, change := range map[string][2]string{
		"account": {"account", "a b"}, "user": {"user", ""}, "database": {"database", ""}, "key": {"private_key", "s3cr3t"},
		"address": {"base_url", "ftp://x"}, "delete": {"delete", "maybe"},
		"public key": {"private_key", "-----BEGIN PUBLIC KEY-----\ns3cr\n-----END PUBLIC KEY-----\n"},
	} {
		settings := map[string]string{}
		for k, v := range good {
			settings[k] = v
		}
		settings[change[0]] = change[1]
		raw, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		if err := (&snowflake{}).Configure(t.Context(), raw); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "s3cr") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
