package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/salesforce"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
)

var versioned = map[string]any{"version_field": "RootFi_Version__c"}

// long is a batch whose keys are so long that some 130 of them fit into a query.
func long(n int) destination.Batch {
	b := numbered(n)
	for i := range b.Records {
		b.Records[i].Key[0] += strings.Repeat("-", 60)
	}
	return b
}

// Look-ups of many versions share requests: each is one of the day's.
func TestLookUpsShareRequests(t *testing.T) {
	org, d := open(t, fake.Options{}, versioned)
	b := long(600)
	deliver(t, d, b)
	asked := 0
	for _, r := range org.Requests() {
		if r.Method == "POST" && r.Path == "composite" {
			asked++
		} else if r.Records == 0 {
			t.Errorf("%s %s", r.Method, r.Path)
		}
	}
	if asked != 1 {
		t.Errorf("%d requests with queries", asked)
	}
	for i := range b.Records {
		b.Records[i].Version = 0
		b.Records[i].Fields["Name"] = json.RawMessage(`"old"`)
	}
	deliver(t, d, b)
	for _, r := range org.Records("Account") {
		if r["Name"] == "old" {
			t.Fatalf("an older version was written: %v", r)
		}
	}
}

// A field that is not there is a fault of the settings: no record is given up for
// it, with one query or with several.
func TestLookUpByAFieldThatIsNotThere(t *testing.T) {
	for _, n := range []int{3, 600} {
		org, d := open(t, fake.Options{}, map[string]any{"version_field": "No_Such_Field__c"})
		for i, r := range write(t, d, long(n)) {
			if r.Kind != destination.Misconfigured || r.Code != "INVALID_FIELD" || !strings.Contains(r.Message, "version_field") {
				t.Fatalf("record %d of %d: %+v", i, n, r)
			}
		}
		if asked := len(org.Requests()); asked != 1 {
			t.Errorf("%d requests, want one question", asked)
		}
		if n := len(org.Records("Account")); n != 0 {
			t.Errorf("%d records", n)
		}
	}
}

// An error of one query of several is that of its records alone, and one that
// says more ends the look-ups.
func TestOneOfTheQueriesFails(t *testing.T) {
	for name, tc := range map[string]struct {
		fault fake.Fault
		kind  destination.ResultKind
		rest  bool // is written
	}{
		"passing":   {fake.Fault{Status: 500, Code: "UNKNOWN_EXCEPTION"}, destination.Retry, true},
		"malformed": {fake.Fault{Status: 400, Code: "MALFORMED_QUERY"}, destination.Rejected, true},
		"quota":     {fake.Fault{Status: 403, Code: "REQUEST_LIMIT_EXCEEDED"}, destination.Throttled, false},
		"no rights": {fake.Fault{Status: 403, Code: "INSUFFICIENT_ACCESS"}, destination.Misconfigured, false},
	} {
		t.Run(name, func(t *testing.T) {
			org, d := open(t, fake.Options{}, versioned)
			tc.fault.Path, tc.fault.Skip = "/query", 1
			org.Fail(tc.fault)
			failed, written := 0, 0
			for i, r := range write(t, d, long(600)) {
				switch {
				case r.Kind == destination.Delivered:
					written++
				case r.Kind == tc.kind && r.Code == tc.fault.Code:
					failed++
				default:
					t.Fatalf("record %d: %+v", i, r)
				}
			}
			if have := len(org.Records("Account")); have != written || failed == 0 || (written > 0) != tc.rest || tc.rest && failed > 200 {
				t.Errorf("%d failed, %d delivered, %d there", failed, written, have)
			}
		})
	}
}

// What Salesforce has against the composite request is not the records' fault.
func TestCompositeIsRefused(t *testing.T) {
	org, d := open(t, fake.Options{}, versioned)
	org.Fail(fake.Fault{Path: "/composite", Method: http.MethodPost, Times: -1, Status: 404, Code: "NOT_FOUND", Message: "The requested resource does not exist"})
	b := long(300)
	deliver(t, d, b)
	for i := range b.Records {
		b.Records[i].Version, b.Records[i].Fields["Name"] = 0, json.RawMessage(`"old"`)
	}
	deliver(t, d, b)
	for _, r := range org.Records("Account") {
		if r["Name"] == "old" {
			t.Fatalf("an older version was written: %v", r)
		}
	}
}

// A look-up that is not answered in time may be the next time.
func TestLookUpTimesOut(t *testing.T) {
	for name, records := range map[string]int{"one query": 3, "several": 300} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var org atomic.Pointer[fake.Server]
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/query") || strings.HasSuffix(r.URL.Path, "/composite") {
					_, _ = io.Copy(io.Discard, r.Body) // else it is not seen that the client goes away
					<-r.Context().Done()
					return
				}
				org.Load().ServeHTTP(w, r)
			}))
			t.Cleanup(front.Close)
			o, d := open(t, fake.Options{}, map[string]any{"version_field": "RootFi_Version__c", "login_url": front.URL, "timeout": "1s"})
			org.Store(o)
			for i, r := range write(t, d, long(records)) {
				if r.Kind != destination.Retry || r.Code != httpanswer.CodeTimeout {
					t.Fatalf("record %d: %+v", i, r)
				}
			}
		})
	}
}

// A token that is quoted in the error of one query is in no result.
func TestQueriesQuoteNoToken(t *testing.T) {
	var org atomic.Pointer[fake.Server]
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/composite") {
			org.Load().ServeHTTP(w, r)
			return
		}
		part := func(name string) any {
			return map[string]any{"referenceId": name, "httpStatusCode": 500, "body": []any{map[string]any{
				"errorCode": "UNKNOWN_EXCEPTION", "message": "of " + r.Header.Get("Authorization"),
			}}}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"compositeResponse": []any{part("q0"), part("q1")}})
	}))
	t.Cleanup(front.Close)
	o, d := open(t, fake.Options{}, map[string]any{"version_field": "RootFi_Version__c", "login_url": front.URL})
	org.Store(o)
	for i, r := range write(t, d, long(200)) {
		if r.Code != "UNKNOWN_EXCEPTION" || !strings.HasSuffix(r.Message, "of Bearer ***") {
			t.Fatalf("record %d: %+v", i, r)
		}
	}
}
