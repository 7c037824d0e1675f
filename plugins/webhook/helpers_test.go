package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

var moment = time.Date(2026, 3, 1, 23, 30, 0, 0, time.UTC)

// request is what an endpoint got.
type request struct {
	header http.Header
	body   string
}

// endpoint is an HTTP server that keeps what it gets.
type endpoint struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

// newEndpoint answers with answer, or 204 without one.
func newEndpoint(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, body string)) *endpoint {
	e := &endpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		e.mu.Lock()
		e.requests = append(e.requests, request{r.Header.Clone(), string(body)})
		e.mu.Unlock()
		if answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(w, r, string(body))
	}))
	t.Cleanup(e.Close)
	return e
}

// newSecure is a server whose certificate nobody trusts.
func newSecure(t *testing.T, h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (e *endpoint) got() []request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]request(nil), e.requests...)
}

// open configures a destination that may reach the local endpoint.
func open(t *testing.T, settings map[string]any) *webhook {
	t.Helper()
	if settings["allow_networks"] == nil {
		settings["allow_networks"] = []string{"127.0.0.0/8"}
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	d := newWebhook()
	if err := d.Configure(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func upsert(id string, version int64, fields string) destination.Record {
	r := destination.Record{
		Key: []string{"4711", id}, Operation: destination.Upsert, Version: version, Changed: []string{"amount"},
		IdempotencyKey: id + "@" + strconv.FormatInt(version, 10), OccurredAt: moment,
		Origin: destination.Origin{Source: "rootfi", CompanyID: "4711", Model: "INVOICES", PlatformID: id},
	}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(err)
	}
	return r
}

func change(id string, version int64) destination.Record {
	r := upsert(id, version, `{}`)
	r.Operation, r.Origin.Operation = destination.Append, "UPDATE"
	return r
}

func batch(mode destination.Mode, rs ...destination.Record) destination.Batch {
	return destination.Batch{Mode: mode, Object: "invoices", KeyFields: []string{"_company_id", "_platform_id"}, Records: rs}
}

func write(t *testing.T, d *webhook, b destination.Batch) []destination.Result {
	t.Helper()
	results, err := d.Write(t.Context(), b)
	if err != nil || len(results) != len(b.Records) {
		t.Fatalf("%d results for %d records, %v", len(results), len(b.Records), err)
	}
	return results
}
