package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	fake "github.com/sluicehq/sluice/internal/fake/salesforce"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
)

// open makes an org with the objects of the pack and a destination for it.
func open(t *testing.T, o fake.Options, more map[string]any) (*fake.Server, *salesforce) {
	t.Helper()
	org := fake.New(o)
	server := httptest.NewServer(org)
	t.Cleanup(server.Close)
	config := map[string]any{"login_url": server.URL, "client_id": "client", "client_secret": "secret", "bulk_poll": "10ms"}
	maps.Copy(config, more)
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	d := newSalesforce()
	if err := d.Configure(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return org, d
}

func record(key string, fields string) destination.Record {
	r := destination.Record{Key: []string{key}, Operation: destination.Upsert, Version: 1, Fields: map[string]json.RawMessage{}}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(err)
	}
	return r
}

func accounts(list ...destination.Record) destination.Batch {
	return destination.Batch{Mode: destination.ModeRecords, Object: "Account", KeyFields: []string{"RootFi_Key__c"}, Records: list}
}

func numbered(n int) destination.Batch {
	b := accounts()
	for i := range n {
		b.Records = append(b.Records, record(fmt.Sprintf("k%04d", i), fmt.Sprintf(`{"Name":"n%d"}`, i)))
	}
	return b
}

func write(t *testing.T, d *salesforce, b destination.Batch) []destination.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	results, err := d.Write(ctx, b)
	if err != nil || len(results) != len(b.Records) {
		t.Fatalf("%d results for %d records, %v", len(results), len(b.Records), err)
	}
	return results
}

func deliver(t *testing.T, d *salesforce, b destination.Batch) {
	t.Helper()
	for i, r := range write(t, d, b) {
		if r.Kind != destination.Delivered || b.Records[i].Operation == destination.Upsert && r.ExternalID == "" {
			t.Fatalf("record %d: %+v", i, r)
		}
	}
}

func TestFaultsOfRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		fault fake.Fault
		want  destination.ResultKind
		code  string
	}{
		"quota":         {fake.Fault{Status: 403, Code: "REQUEST_LIMIT_EXCEEDED", Message: "TotalRequests Limit exceeded."}, destination.Throttled, "REQUEST_LIMIT_EXCEEDED"},
		"concurrency":   {fake.Fault{Status: 403, Code: "REQUEST_LIMIT_EXCEEDED", Message: "ConcurrentRequests (Concurrent API Requests) Limit exceeded."}, destination.Throttled, "REQUEST_LIMIT_EXCEEDED"},
		"too many":      {fake.Fault{Status: 429, Code: "TOO_MANY", Header: map[string]string{"Retry-After": "7"}}, destination.Throttled, "TOO_MANY"},
		"error":         {fake.Fault{Status: 500, Code: "UNKNOWN_EXCEPTION"}, destination.Retry, "UNKNOWN_EXCEPTION"},
		"unavailable":   {fake.Fault{Status: 503, Code: "SERVER_UNAVAILABLE"}, destination.Retry, "SERVER_UNAVAILABLE"},
		"no rights":     {fake.Fault{Status: 403, Code: "API_DISABLED_FOR_ORG"}, destination.Misconfigured, "API_DISABLED_FOR_ORG"},
		"bad header":    {fake.Fault{Status: 401, Code: "INVALID_AUTH_HEADER"}, destination.Misconfigured, "INVALID_AUTH_HEADER"},
		"no such thing": {fake.Fault{Status: 404, Code: "NOT_FOUND", Message: "The requested resource does not exist"}, destination.Rejected, "NOT_FOUND"},
		"redirect":      {fake.Fault{Status: 302, Code: "MOVED", Header: map[string]string{"Location": "https://elsewhere.example"}}, destination.Misconfigured, "MOVED"},
	} {
		t.Run(name, func(t *testing.T) {
			org, d := open(t, fake.Options{}, nil)
			tt.fault.Path, tt.fault.Times = "composite", -1
			org.Fail(tt.fault)
			before := time.Now()
			for _, r := range write(t, d, numbered(3)) {
				if r.Kind != tt.want || r.Code != tt.code || (r.Kind == destination.Throttled) != r.Until.After(before) {
					t.Errorf("%+v, want %v", r, tt.want)
				}
			}
			if n := len(org.Requests()); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestFaultsOfRecords(t *testing.T) {
	for code, tt := range map[string]struct {
		message string
		want    destination.ResultKind
	}{
		"UNABLE_TO_LOCK_ROW":                   {"unable to obtain exclusive access to this record", destination.Retry},
		"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": {"trigger: UNABLE_TO_LOCK_ROW, unable to obtain", destination.Retry},
		"INVALID_CROSS_REFERENCE_KEY":          {"invalid cross reference id", destination.Dependency},
		"INSUFFICIENT_ACCESS_OR_READONLY":      {"insufficient access rights on object id", destination.Misconfigured},
		"FIELD_CUSTOM_VALIDATION_EXCEPTION":    {"no such customer", destination.Rejected},
		"DUPLICATES_DETECTED":                  {"Use one of these records?", destination.Rejected},
	} {
		for way, threshold := range map[string]int{"collections": 4000, "bulk": 1} {
			t.Run(way+" "+code, func(t *testing.T) {
				org, d := open(t, fake.Options{}, map[string]any{"bulk_threshold": threshold})
				org.Fail(fake.Fault{Key: "k0001", Code: code, Message: tt.message, Fields: []string{"Phone"}, Times: -1})
				got := write(t, d, numbered(3))
				if r := got[1]; r.Kind != tt.want || r.Code != code || !strings.Contains(r.Message, "Phone") || !strings.Contains(r.Message, tt.message) {
					t.Errorf("%+v, want %v", r, tt.want)
				}
				if got[0].Kind != destination.Delivered || got[2].Kind != destination.Delivered {
					t.Errorf("the others: %+v %+v", got[0], got[2])
				}
			})
		}
	}
}

func TestRecordsOfTheirOwnFault(t *testing.T) {
	for way, threshold := range map[string]int{"collections": 4000, "bulk": 1} {
		t.Run(way, func(t *testing.T) {
			_, d := open(t, fake.Options{}, map[string]any{"bulk_threshold": threshold})
			got := write(t, d, accounts(
				record("a", `{"Name":"good"}`),
				record("b", `{"Name":"b","Phone":"`+strings.Repeat("5", 41)+`"}`),
				record("c", `{"Phone":"1"}`),
			))
			for i, want := range []string{"", "STRING_TOO_LONG", "REQUIRED_FIELD_MISSING"} {
				if got[i].Code != want || (want != "") != (got[i].Kind == destination.Rejected) {
					t.Errorf("%d: %+v", i, got[i])
				}
			}
			if !strings.Contains(got[1].Message, "Phone") || !strings.Contains(got[2].Message, "Name") {
				t.Errorf("messages without the fields: %q, %q", got[1].Message, got[2].Message)
			}
		})
	}
}

// One value of the wrong type makes Salesforce refuse the whole call.
func TestARefusedCallIsHalved(t *testing.T) {
	org, d := open(t, fake.Options{}, nil)
	b := numbered(200)
	b.Records[77].Fields["Phone"] = json.RawMessage("5")
	for i, r := range write(t, d, b) {
		if want := i == 77; want != (r.Kind == destination.Rejected && r.Code == "JSON_PARSER_ERROR") || !want && r.Kind != destination.Delivered {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if n := len(org.Requests()); n > maxCalls {
		t.Errorf("%d requests", n)
	}
	for i := range b.Records {
		b.Records[i].Fields["Phone"] = json.RawMessage("5")
	}
	before := len(org.Requests())
	for i, r := range write(t, d, b) {
		if r.Kind == destination.Delivered {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if n := len(org.Requests()) - before; n > maxCalls {
		t.Errorf("%d requests for a mapping that is wrong for all", n)
	}
}

func TestTokenExpiresInMidBatch(t *testing.T) {
	org, d := open(t, fake.Options{}, nil)
	org.ExpireTokens(2)
	deliver(t, d, numbered(800)) // the token is good for two of four calls
	if n := org.Tokens(); n != 2 {
		t.Errorf("%d tokens", n)
	}
	if n := len(org.Records("Account")); n != 800 {
		t.Errorf("%d records", n)
	}
	org.Fail(fake.Fault{Path: "composite", Status: 401, Code: "INVALID_SESSION_ID", Times: -1})
	if r := write(t, d, numbered(1))[0]; r.Kind != destination.Misconfigured || org.Tokens() != 3 {
		t.Errorf("%+v, %d tokens", r, org.Tokens())
	}
}

func TestTokenErrors(t *testing.T) {
	for description, tt := range map[string]struct {
		code string
		want destination.ResultKind
	}{
		"authentication failure":                    {"invalid_grant", destination.Misconfigured},
		"token request is already being processed":  {"invalid_grant", destination.Retry},
		"login rate exceeded":                       {"invalid_grant", destination.Throttled},
		"the secret secretsecret of yours is wrong": {"invalid_client", destination.Misconfigured},
	} {
		org, d := open(t, fake.Options{ClientSecret: "secretsecret"}, map[string]any{"client_secret": "secretsecret"})
		org.Fail(fake.Fault{Path: "oauth2/token", Status: 400, Code: tt.code, Message: description})
		r := write(t, d, numbered(1))[0]
		if r.Kind != tt.want || r.Code != tt.code || strings.Contains(r.Message, "secretsecret") {
			t.Errorf("%s: %+v", description, r)
		}
		deliver(t, d, numbered(1))
	}
}

func TestFlows(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	o := fake.Options{PublicKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	for name, config := range map[string]map[string]any{
		"client credentials": {},
		"refresh token":      {"auth": "refresh_token", "refresh_token": "refresh"},
		"jwt":                {"auth": "jwt", "private_key": private, "username": "user@example.com", "client_secret": ""},
	} {
		_, d := open(t, o, config)
		if err := d.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, config := range map[string]map[string]any{
		"wrong secret":  {"client_secret": "wrong"},
		"wrong refresh": {"auth": "refresh_token", "refresh_token": "wrong"},
		"wrong user":    {"auth": "jwt", "private_key": private, "username": "other@example.com"},
	} {
		_, d := open(t, o, config)
		f, ok := d.Check(t.Context()).(*destination.Failure)
		if !ok || f.Kind != destination.Misconfigured {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestReserve(t *testing.T) {
	org, d := open(t, fake.Options{DailyLimit: 1000}, nil)
	org.Use(899)
	got := write(t, d, numbered(600))
	if got[0].Kind != destination.Delivered || got[200].Kind != destination.Throttled || got[200].Code != codeReserve || got[599].Until.IsZero() {
		t.Errorf("%+v %+v", got[0], got[200])
	}
	if f, ok := d.Check(t.Context()).(*destination.Failure); !ok || f.Kind != destination.Throttled {
		t.Errorf("check: %v", f)
	}
	// After the wait one call looks how much came back.
	d.client.now = func() time.Time { return time.Now().Add(quotaWait + time.Minute) }
	org.Use(10)
	deliver(t, d, numbered(600))

	org, d = open(t, fake.Options{DailyLimit: 1000}, map[string]any{"reserve_percent": 0})
	org.Use(990)
	deliver(t, d, numbered(600))
}

func TestBulkJobs(t *testing.T) {
	for name, tt := range map[string]struct {
		fault fake.JobFault
		want  destination.ResultKind
		code  string
	}{
		"unprocessed": {fake.JobFault{Processed: 4}, destination.Retry, codeUnprocessed},
		"aborted":     {fake.JobFault{State: "Aborted", Processed: 4}, destination.Retry, codeJobAborted},
		"failed":      {fake.JobFault{State: "Failed", Processed: 4, Message: "TooManyRetries"}, destination.Retry, codeJobFailed},
		"refused":     {fake.JobFault{State: "Failed", Message: "InvalidBatch : Field name not found : X"}, destination.Rejected, codeJobFailed},
	} {
		t.Run(name, func(t *testing.T) {
			org, d := open(t, fake.Options{}, map[string]any{"bulk_threshold": 10})
			org.FailJob(tt.fault)
			for i, r := range write(t, d, numbered(10)) {
				if done := i < tt.fault.Processed; done != (r.Kind == destination.Delivered) || !done && (r.Kind != tt.want || r.Code != tt.code) {
					t.Errorf("record %d: %+v", i, r)
				}
			}
			deliver(t, d, numbered(10)) // the repetition
			if n := len(org.Records("Account")); n != 10 {
				t.Errorf("%d records", n)
			}
		})
	}
}

func TestABulkJobThatTakesTooLongIsAborted(t *testing.T) {
	t.Parallel()
	org, d := open(t, fake.Options{}, map[string]any{"bulk_threshold": 1})
	org.StickJobs(true)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	results, err := d.Write(ctx, numbered(3))
	if err != nil || results[0].Kind != destination.Retry || results[0].Code != httpanswer.CodeTimeout {
		t.Errorf("%v %+v", err, results)
	}
	requests := org.Requests()
	if last := requests[len(requests)-1]; last.Method != "PATCH" || !strings.Contains(last.Path, "jobs/ingest/") {
		t.Errorf("the last request is %+v, want the abort", last)
	}
	org.StickJobs(false)
	deliver(t, d, numbered(3))
}

func TestBulkStartsAtTheThreshold(t *testing.T) {
	org, d := open(t, fake.Options{}, map[string]any{"bulk_threshold": 300})
	b := numbered(300)
	for _, text := range []string{"#N/A", "two\r\nlines"} { // these mean something else in a CSV
		raw, _ := json.Marshal(map[string]string{"Name": text})
		b.Records = append(b.Records, record("x"+text, string(raw)))
	}
	deliver(t, d, b)
	uploads, calls := 0, 0
	for _, r := range org.Requests() {
		if r.Method == "PUT" {
			uploads += r.Records
		}
		if strings.HasPrefix(r.Path, "composite") {
			calls += r.Records
		}
	}
	if uploads != 300 || calls != 2 {
		t.Errorf("%d records in uploads, %d in calls", uploads, calls)
	}
}

func TestNullAndAbsent(t *testing.T) {
	for way, threshold := range map[string]int{"collections": 4000, "bulk": 1} {
		t.Run(way, func(t *testing.T) {
			org, d := open(t, fake.Options{}, map[string]any{"bulk_threshold": threshold})
			deliver(t, d, accounts(record("p", `{"Name":"parent","Phone":"1","Website":"w"}`)))
			deliver(t, d, accounts(record("p", `{"Name":"parent","Phone":null}`)))
			if r := org.Records("Account")[0]; r["Phone"] != "" || r["Website"] != "w" {
				t.Errorf("%v", r)
			}
			invoices := accounts(record("i", `{"Number__c":"7","Total__c":12345678901234.5678,"Due__c":"2026-03-01","Account__r":{"RootFi_Key__c":"p"}}`))
			invoices.Object = "Invoice__c"
			invoices.Types = map[string]destination.FieldType{"Account__r": destination.TypeJSON} // as of an expression
			deliver(t, d, invoices)
			r := org.Records("Invoice__c")[0]
			if r["Account__c"] != org.Records("Account")[0]["Id"] || r["Total__c"] != "12345678901234.5678" {
				t.Errorf("%v", r)
			}
			invoices.Records = []destination.Record{record("i", `{"Account__r":null}`), record("j", `{"Account__r":{"RootFi_Key__c":"later"}}`)}
			got := write(t, d, invoices)
			if got[0].Kind != destination.Delivered || got[1].Kind != destination.Dependency {
				t.Errorf("%+v", got)
			}
			if r := org.Records("Invoice__c")[0]; r["Account__c"] != "" || r["Number__c"] != "7" {
				t.Errorf("%v", r)
			}
			contacts := accounts(record("c", `{"LastName":"l","Account":{"RootFi_Key__c":"p"}}`))
			contacts.Object = "Contact"
			for _, want := range []string{org.Records("Account")[0]["Id"], ""} {
				deliver(t, d, contacts)
				if r := org.Records("Contact")[0]; r["AccountId"] != want {
					t.Errorf("%v, want the account %q", r, want)
				}
				contacts.Records[0].Fields["Account"] = json.RawMessage(`{"RootFi_Key__c":null}`)
			}
		})
	}
}

// Children of one parent meet in one call.
func TestSortedByParent(t *testing.T) {
	_, d := open(t, fake.Options{}, nil)
	b := accounts()
	b.Object = "Invoice__c"
	for i := range 400 {
		b.Records = append(b.Records, record(fmt.Sprint(i), fmt.Sprintf(`{"Account__r":{"RootFi_Key__c":"p%d"}}`, i%2)))
	}
	lines, err := d.DryRun(t.Context(), b)
	if err != nil || len(lines) != 2 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if strings.Contains(lines[0], `"p1"`) || strings.Contains(lines[1], `"p0"`) {
		t.Error("the children of a parent are in two calls")
	}
}

func TestSettings(t *testing.T) {
	for want, more := range map[string]string{
		"use https":           `"login_url":"http://example.my.salesforce.com"`,
		"My Domain":           `"login_url":"https://login.salesforce.com"`,
		"client_secret":       `"client_secret":""`,
		"private_key":         `"auth":"jwt","username":"u"`,
		"RSA key":             `"auth":"jwt","username":"u","private_key":"sssshhhh"`,
		"refresh_token":       `"auth":"refresh_token"`,
		"deleted_field":       `"delete":"soft"`,
		"version_field":       `"version_field":"a b"`,
		"api_version":         `"api_version":"v66"`,
		"timeout":             `"timeout":"soon"`,
		"reserve_percent":     `"reserve_percent":91`,
		"client_credentials,": `"auth":"password"`,
	} {
		settings := map[string]json.RawMessage{}
		for _, text := range []string{`{"login_url":"https://a.my.salesforce.com","client_id":"c","client_secret":"s"}`, "{" + more + "}"} {
			if err := json.Unmarshal([]byte(text), &settings); err != nil {
				t.Fatal(err)
			}
		}
		raw, err := json.Marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseSettings(raw); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "sssshhhh") {
			t.Errorf("%s: %v", more, err)
		}
	}
}

func FuzzBulkError(f *testing.F) {
	f.Add("REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --")
	f.Add("INVALID_FIELD:Foreign key external ID: x not found for field Y in entity Account:Account --")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		e := bulkError(text)
		if code := e.code(); len(code) > 64 || strings.ContainsAny(code, " :\n") {
			t.Errorf("code %q of %q", code, text)
		}
	})
}

func TestBulkError(t *testing.T) {
	e := bulkError("REQUIRED_FIELD_MISSING:Required fields are missing: [A, B]:A, B --")
	if e.code() != "REQUIRED_FIELD_MISSING" || e.Message != "Required fields are missing: [A, B]" || len(e.Fields) != 2 || e.Fields[1] != "B" {
		t.Errorf("%+v", e)
	}
}
