package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	fake "github.com/sluicehq/sluice/internal/fake/bigquery"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
	"google.golang.org/api/googleapi"
)

func TestFault(t *testing.T) {
	for message, want := range map[string]sqlcore.FaultKind{
		"Transaction is aborted due to concurrent update against table p:d.t. Transaction ID: x": sqlcore.Clash,
		"assertion failed: " + beingAltered:                      sqlcore.Clash,
		"Unrecognized name: memo; Did you mean emo? at [1:2]":    sqlcore.Stale,
		"Value of type INT64 cannot be assigned; it has type":    sqlcore.Stale,
		"Bad int64 value: x":                                     sqlcore.Bad,
		"Invalid BIGNUMERIC value":                               sqlcore.Bad,
		"Syntax error: Expected end of input at [1:2]":           sqlcore.Setup,
		"Cannot drop a column that a materialized view uses":     sqlcore.Refused,
		"Field memo: value exceeds the maximum length":           sqlcore.Bad,
		"Could not cast literal \"x\" to type DATE at [1:1] (x)": sqlcore.Bad,
	} {
		if got := (&database{}).Fault(fmt.Errorf("x: %w", &bigquery.Error{Reason: "invalidQuery", Message: message})); got.Kind != want || got.Code != "invalidQuery" {
			t.Errorf("%s: got %+v, want %v", message, got, want)
		}
	}
	later := time.Now().Add(20 * time.Hour).UTC().Truncate(time.Second)
	for status, code := range map[int]string{http.StatusTooManyRequests: "rateLimitExceeded", http.StatusServiceUnavailable: "HTTP_503"} {
		err := &googleapi.Error{Code: status, Header: http.Header{"Retry-After": {later.Format(http.TimeFormat)}}}
		if got, want := (&database{}).Fault(err), (sqlcore.Fault{Kind: sqlcore.Busy, Code: code, Until: later}); got != want {
			t.Errorf("%d: got %+v, want %+v", status, got, want)
		}
	}
	if got := (&database{}).Fault(&bigquery.Error{Reason: "backendError"}); got != (sqlcore.Fault{Code: "backendError"}) {
		t.Errorf("backendError: %+v", got)
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
func outcome(t *testing.T, w *warehouse, r destination.Record) destination.Result {
	t.Helper()
	results, err := w.Write(t.Context(), records(r))
	if f, ok := errors.AsType[*destination.Failure](err); ok {
		return destination.Result{Kind: f.Kind, Code: f.Code, Until: f.Until, Message: f.Error()}
	} else if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

// What goes wrong on the way costs a repetition and nothing else.
func TestPlayedFaults(t *testing.T) {
	const conflict = "Transaction is aborted due to concurrent update against table invoices"
	for name, tt := range map[string]struct {
		fault fake.Fault
		kind  destination.ResultKind // of the first write
		code  string
	}{
		"a conflict is tried again at once":    {fake.Fault{Query: "MERGE", Times: 2, Reason: "invalidQuery", Message: conflict}, destination.Delivered, ""},
		"conflicts without end":                {fake.Fault{Query: "MERGE", Times: 4, Reason: "invalidQuery", Message: conflict}, destination.Retry, "invalidQuery"},
		"a rate limit that passes":             {fake.Fault{Path: "POST /bigquery/v2/projects/project/jobs", Times: 1, Status: 403, Reason: "rateLimitExceeded"}, destination.Delivered, ""},
		"a rate limit":                         {fake.Fault{Path: "POST /bigquery/v2/projects/project/jobs", Times: 99, Status: 403, Reason: "rateLimitExceeded"}, destination.Throttled, "rateLimitExceeded"},
		"a rate limit of a table":              {fake.Fault{Query: "MERGE", Times: 1, Reason: "rateLimitExceeded", Message: "too many table update operations"}, destination.Throttled, "rateLimitExceeded"},
		"a quota of the day":                   {fake.Fault{Path: "/jobs", Times: 1, Status: 403, Reason: "quotaExceeded"}, destination.Throttled, "quotaExceeded"},
		"too many requests":                    {fake.Fault{Path: "/jobs", Times: 1, Status: 429}, destination.Throttled, "rateLimitExceeded"},
		"503 once":                             {fake.Fault{Path: "/jobs", Times: 1, Status: 503, Reason: "backendError"}, destination.Delivered, ""},
		"503 all the time":                     {fake.Fault{Path: "/jobs", Times: 99, Status: 503, Reason: "backendError"}, destination.Retry, "backendError"},
		"a job that fails by itself":           {fake.Fault{Query: "MERGE", Times: 1, Reason: "backendError", Message: "try again"}, destination.Retry, "backendError"},
		"the connection is lost":               {fake.Fault{Path: "POST /bigquery/v2/projects/project/jobs", Times: 99}, destination.Retry, "CONNECTION"},
		"the answer is lost":                   {fake.Fault{Path: "POST /bigquery/v2/projects/project/jobs", Times: 1, AfterWork: true}, destination.Retry, "CONNECTION"},
		"the rights are taken":                 {fake.Fault{Path: "/jobs", Times: 99, Status: 403, Reason: "accessDenied", Message: "Access Denied"}, destination.Misconfigured, "accessDenied"},
		"a token that is no good any more":     {fake.Fault{Path: "/jobs", Times: 1, Status: 401, Reason: "authError"}, destination.Delivered, ""},
		"tokens that are no good":              {fake.Fault{Path: "/jobs", Times: 99, Status: 401, Reason: "authError"}, destination.Misconfigured, "HTTP_401"},
		"billing":                              {fake.Fault{Path: "/jobs", Times: 1, Status: 403, Reason: "billingNotEnabled"}, destination.Misconfigured, "billingNotEnabled"},
		"a refusal for no reason that we know": {fake.Fault{Query: "MERGE", Times: 9, Reason: "invalidQuery", Message: "Syntax error"}, destination.Misconfigured, "invalidQuery"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, url := serveFake(t, fake.Options{})
			w := start(t, settings{Project: "project", Endpoint: url})
			w.db.patience = 3 * time.Second // one repetition of the client's own
			if got := outcome(t, w, record("first", 1, `{"memo":"m"}`)); got.Kind != destination.Delivered {
				t.Fatal(got)
			}
			server.Play(tt.fault)
			got := outcome(t, w, record("a", 1, `{"memo":"a"}`))
			if got.Kind != tt.kind || got.Code != tt.code || (got.Kind == destination.Throttled) != got.Until.After(time.Now()) {
				t.Errorf("got %+v, want %v %s", got, tt.kind, tt.code)
			}
			server.Heal()
			for range 2 {
				if got := outcome(t, w, record("a", 1, `{"memo":"a"}`)); got.Kind != destination.Delivered {
					t.Errorf("again: %+v", got)
				}
			}
			if rows := server.Rows("project", "rootfi", "invoices"); len(rows) != 2 {
				t.Errorf("%d rows, want 2: %v", len(rows), rows)
			}
		})
	}
}

// While another process alters the table, nobody writes to it.
func TestLockOfTheAlteringProcess(t *testing.T) {
	server, url := serveFake(t, fake.Options{})
	w := start(t, settings{Project: "project", Endpoint: url})
	if got := outcome(t, w, record("a", 1, `{"memo":"m","amount":1}`)); got.Kind != destination.Delivered {
		t.Fatal(got)
	}
	const lock = "UPDATE `project.rootfi._sluice_lock_invoices` SET holder = 'other', until = "
	if err := server.Exec(lock + "TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 15 MINUTE) WHERE TRUE"); err != nil {
		t.Fatal(err)
	}
	for field, code := range map[string]string{`"memo":"n"`: "invalidQuery", `"memo":"n","amount":"n/a"`: "ALTERED"} {
		if got := outcome(t, w, record("a", 2, `{`+field+`}`)); got.Kind != destination.Retry || got.Code != code {
			t.Errorf("%s: got %+v", field, got)
		}
	}
	// A process that died holding it is not waited for without end.
	if err := server.Exec(lock + "CAST('2026-01-01T00:00:00Z' AS TIMESTAMP) WHERE TRUE"); err != nil {
		t.Fatal(err)
	}
	if got := outcome(t, w, record("a", 2, `{"amount":"n/a"}`)); got.Kind != destination.Delivered {
		t.Errorf("got %+v", got)
	}
}

// A batch of more than a request takes is halved; a record that is too large
// alone is rejected alone.
func TestLargeRequests(t *testing.T) {
	server, url := serveFake(t, fake.Options{})
	w := start(t, settings{Project: "project", Endpoint: url})
	megabytes := func(n int) string { return `{"memo":"` + strings.Repeat("x", n<<20) + `"}` }
	results, err := w.Write(t.Context(), records(
		record("a", 1, megabytes(4)), record("b", 1, megabytes(4)), record("huge", 1, megabytes(11)), record("c", 1, megabytes(4))))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []destination.ResultKind{destination.Delivered, destination.Delivered, destination.Rejected, destination.Delivered} {
		if results[i].Kind != want {
			t.Errorf("record %d: %v %s %.100s, want %v", i, results[i].Kind, results[i].Code, results[i].Message, want)
		}
	}
	if results[2].Code != "TOO_LARGE" || len(server.Rows("project", "rootfi", "invoices")) != 3 {
		t.Errorf("code %s, %d rows", results[2].Code, len(server.Rows("project", "rootfi", "invoices")))
	}
}

// account makes the key of a service account.
func account(t *testing.T, url string) (credentials string, public *rsa.PublicKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "sluice@project.iam.gserviceaccount.com", "private_key_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": url + "/token", "project_id": "project",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(file), &key.PublicKey
}

func TestServiceAccount(t *testing.T) {
	accounts := map[string]*rsa.PublicKey{}
	server, url := serveFake(t, fake.Options{Accounts: accounts})
	good, public := account(t, url)
	accounts["sluice@project.iam.gserviceaccount.com"] = public
	w := start(t, settings{Project: "project", Endpoint: url, Credentials: good})
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for version := range int64(3) { // each with a token that is no good any more
		if got := outcome(t, w, record("a", version+1, `{"memo":"m"}`)); got.Kind != destination.Delivered {
			t.Fatalf("%+v", got)
		}
		server.ExpireTokens()
	}
	bad, _ := account(t, url)
	other := start(t, settings{Project: "project", Endpoint: url, Credentials: bad})
	f, ok := errors.AsType[*destination.Failure](other.Check(t.Context()))
	if !ok || f.Kind != destination.Misconfigured || f.Code != "CREDENTIALS" || strings.Contains(f.Error(), "PRIVATE") {
		t.Errorf("another key: %+v", f)
	}
	without := start(t, settings{Project: "project", Endpoint: url})
	if f, ok := errors.AsType[*destination.Failure](without.Check(t.Context())); !ok || f.Kind != destination.Misconfigured || f.Code != "HTTP_401" {
		t.Errorf("no key: %+v", f)
	}
}

func TestBadSettings(t *testing.T) {
	for name, raw := range map[string]string{
		"no project": `{}`, "project": `{"project":"My Project"}`, "dataset": `{"project":"p","dataset":"a-b"}`, "delete": `{"project":"p","delete":"maybe"}`,
		"not JSON": `{"project":"p","credentials":"s3cr3t"}`, "another kind": `{"project":"p","credentials":"{\"type\":\"external_account\",\"private_key\":\"s3cr3t\"}"}`,
	} {
		w := &warehouse{}
		if err := w.Configure(t.Context(), json.RawMessage(raw)); err == nil {
			t.Errorf("%s: accepted", name)
			_ = w.Close()
		} else if strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
