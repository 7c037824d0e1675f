package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// api is a client of a running server.
type api struct {
	t       *testing.T
	url     string
	sandbox *sandbox.Server
}

func serve(t *testing.T, o sandbox.Options) *api {
	t.Helper()
	s := sandbox.NewServer(o, "key")
	h := httptest.NewServer(s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		h.Close()
	})
	return &api{t: t, url: h.URL, sandbox: s}
}

// call makes a call and decodes its answer.
func (a *api) call(method, path, body string, into any) int {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("api_key", "key")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			a.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	}
	return resp.StatusCode
}

type syncView struct {
	ID     string
	Status string
	Total  int `json:"total_jobs_count"`
	Failed int `json:"failed_jobs_count"`
}

// sync asks for a sync and waits until its webhooks are out.
func (a *api) sync(body string) syncView {
	a.t.Helper()
	var created syncView
	if status := a.call("POST", "/v3/core/syncs", body, &created); status != http.StatusCreated {
		a.t.Fatalf("create sync: status %d", status)
	}
	if created.ID == "" || created.Status != "CREATED" {
		a.t.Fatalf("created %+v", created)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		var shown struct{ Data syncView }
		a.call("GET", "/v3/core/syncs/"+created.ID, "", &shown)
		if shown.Data.Status == "SUCCESS" {
			return shown.Data
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("sync is still %s", shown.Data.Status)
		}
	}
}

func webhookJSON(url, kind, filters string) string {
	return fmt.Sprintf(`{"name":"mine","url":%q,"type":%q,"headers":{"api_key":"secret"}%s}`, url, kind, filters)
}

func TestWebhookAPI(t *testing.T) {
	t.Parallel()
	a := serve(t, sandbox.Options{Records: 60})
	var list struct{ Data []sandbox.Webhook }
	if a.call("GET", "/v3/core/webhooks", "", &list); list.Data == nil || len(list.Data) != 0 {
		t.Fatalf("webhooks at first: %v", list.Data)
	}
	var created sandbox.Webhook
	status := a.call("POST", "/v3/core/webhooks",
		`{"webhook":`+webhookJSON("http://x.test/hook", "DATA_MODEL_CHANGES", `,"operations":["CREATE"],"data_models":["INVOICES"]`)+`}`, &created)
	if status != http.StatusCreated || len(created.ID) != 20 || created.CreatedAt == "" || created.Headers["api_key"] != "secret" {
		t.Fatalf("status %d, created %+v", status, created)
	}
	var updated struct{ Data sandbox.Webhook }
	status = a.call("PUT", "/v3/core/webhooks/"+created.ID, webhookJSON("http://y.test/hook", "SYNC_COMPLETED", ""), &updated)
	if status != http.StatusOK || updated.Data.URL != "http://y.test/hook" || updated.Data.ID != created.ID || updated.Data.CreatedAt != created.CreatedAt {
		t.Fatalf("status %d, updated %+v", status, updated.Data)
	}
	if a.call("GET", "/v3/core/webhooks", "", &list); len(list.Data) != 1 || list.Data[0].Type != "SYNC_COMPLETED" {
		t.Fatalf("webhooks: %+v", list.Data)
	}
	var removed struct{ Status string }
	if status := a.call("DELETE", "/v3/core/webhooks/"+created.ID, "", &removed); status != http.StatusOK || removed.Status == "" {
		t.Fatalf("delete: %d %+v", status, removed)
	}
	if a.call("GET", "/v3/core/webhooks", "", &list); len(list.Data) != 0 {
		t.Fatalf("webhooks in the end: %+v", list.Data)
	}
}

func TestAPIRefuses(t *testing.T) {
	t.Parallel()
	a := serve(t, sandbox.Options{Records: 60})
	tests := map[string]struct {
		method, path, body string
		want               int
	}{
		"no JSON":            {"POST", "/v3/core/webhooks", `{`, 400},
		"no wrapper":         {"POST", "/v3/core/webhooks", webhookJSON("http://x.test", "SYNC_COMPLETED", ""), 400},
		"unknown type":       {"POST", "/v3/core/webhooks", `{"webhook":` + webhookJSON("http://x.test", "OTHER", "") + `}`, 400},
		"no host":            {"POST", "/v3/core/webhooks", `{"webhook":` + webhookJSON("x", "SYNC_COMPLETED", "") + `}`, 400},
		"other scheme":       {"POST", "/v3/core/webhooks", `{"webhook":` + webhookJSON("ftp://x.test", "SYNC_COMPLETED", "") + `}`, 400},
		"unknown operation":  {"POST", "/v3/core/webhooks", `{"webhook":` + webhookJSON("http://x.test", "SYNC_COMPLETED", `,"operations":["MERGE"]`) + `}`, 400},
		"too large":          {"POST", "/v3/core/webhooks", `{"webhook":{"name":"` + strings.Repeat("x", 2<<20) + `"}}`, 413},
		"update of nothing":  {"PUT", "/v3/core/webhooks/none", webhookJSON("http://x.test", "SYNC_COMPLETED", ""), 404},
		"delete of nothing":  {"DELETE", "/v3/core/webhooks/none", "", 404},
		"unknown company":    {"POST", "/v3/core/syncs", `{"company_id":1}`, 404},
		"wrong integration":  {"POST", "/v3/core/syncs", `{"company_id":1001,"integration_type":"TALLY"}`, 404},
		"unknown model":      {"POST", "/v3/core/syncs", `{"company_id":1001,"data_models_to_sync":["PIGS"]}`, 400},
		"unknown sync":       {"GET", "/v3/core/syncs/none", "", 404},
		"jobs of no sync":    {"GET", "/v3/core/syncs/none/jobs", "", 404},
		"unknown resource":   {"GET", "/v3/accounting/pigs", "", 404},
		"limit of nothing":   {"GET", "/v3/accounting/invoices?limit=0", "", 400},
		"next of nothing":    {"GET", "/v3/accounting/invoices?next=x", "", 400},
		"not a time":         {"GET", "/v3/accounting/invoices?rootfi_updated_at%5Bgte%5D=x", "", 400},
		"unknown path":       {"GET", "/v3/other", "", 404},
		"method not allowed": {"PATCH", "/v3/core/webhooks", "", 405},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := a.call(test.method, test.path, test.body, nil); got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
		})
	}
	for _, key := range []string{"", "kez", "key2"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", a.url+"/sandbox/expected", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("api_key", key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("key %q: status %d", key, resp.StatusCode)
		}
	}
}

func TestSyncsSendWebhooks(t *testing.T) {
	t.Parallel()
	a := serve(t, sandbox.Options{Seed: 3, Companies: 2, Records: 150, Faults: []sandbox.Fault{sandbox.FaultReorder}})
	everything, deletes, syncs := receive(t, nil), receive(t, nil), receive(t, nil)
	for _, w := range []string{
		webhookJSON(everything.URL, "DATA_MODEL_CHANGES", ""),
		webhookJSON(everything.URL, "SYNC_COMPLETED", ""),
		webhookJSON(everything.URL, "CONNECTION_CHANGED", ""),
		webhookJSON(deletes.URL, "DATA_MODEL_CHANGES", `,"operations":["DELETE"],"data_models":["INVOICES","EXPENSES","INVOICE_PAYMENTS"]`),
		webhookJSON(syncs.URL, "SYNC_COMPLETED", ""),
	} {
		if status := a.call("POST", "/v3/core/webhooks", `{"webhook":`+w+`}`, nil); status != http.StatusCreated {
			t.Fatalf("create webhook: %d", status)
		}
	}
	var companies struct{ Data []sandbox.CompanyInfo }
	a.call("GET", "/sandbox/companies", "", &companies)
	if len(companies.Data) != 2 || companies.Data[0].Name == "" || companies.Data[0].Records != 150 {
		t.Fatalf("companies %+v", companies.Data)
	}
	var ids []string
	for _, c := range companies.Data {
		for _, full := range []bool{false, false, true, false, true} {
			body := fmt.Sprintf(`{"company_id":%d,"integration_type":%q,"full_sync":%v}`, c.ID, c.Integration, full)
			ids = append(ids, a.sync(body).ID)
		}
	}

	var expected []sandbox.Record
	a.call("GET", "/sandbox/expected", "", &expected)
	same(t, replay(t, everything.accepted), described(t, expected))

	filtered := 0
	for _, raw := range deletes.accepted {
		b := decode(t, raw)
		if b.Operation != "DELETE" || b.Model != "INVOICES" && b.Model != "EXPENSES" && b.Model != "INVOICE_PAYMENTS" {
			t.Errorf("a filtered webhook got %s of %s", b.Operation, b.Model)
		}
		filtered++
	}
	if filtered == 0 {
		t.Error("no DELETE reached the filtered webhook")
	}
	completed := make(map[string]bool)
	for _, raw := range syncs.accepted {
		b := decode(t, raw)
		var data struct{ ID string }
		if err := json.Unmarshal(b.Data, &data); err != nil || b.Type != "SYNC_COMPLETED" {
			t.Fatalf("%s: %v", raw, err)
		}
		completed[data.ID] = true
	}
	for _, id := range ids {
		if !completed[id] {
			t.Errorf("sync %s was never said to be completed", id)
		}
	}
	var list struct{ Data []syncView }
	a.call("GET", fmt.Sprintf("/v3/core/syncs?company_id=%d", companies.Data[1].ID), "", &list)
	if len(list.Data) != 5 {
		t.Errorf("%d syncs of one company, want 5", len(list.Data))
	}
	var jobs struct {
		Data []struct {
			Model string `json:"data_model"`
		}
	}
	a.call("GET", "/v3/core/syncs/"+ids[0]+"/jobs", "", &jobs)
	if len(jobs.Data) < 18 {
		t.Errorf("%d jobs", len(jobs.Data))
	}
	var reports struct{ Data []sandbox.Report }
	a.call("GET", "/sandbox/reports", "", &reports)
	if len(reports.Data) != len(ids) {
		t.Errorf("%d reports, want %d", len(reports.Data), len(ids))
	}
}

func TestSyncOfSomeModels(t *testing.T) {
	t.Parallel()
	a := serve(t, sandbox.Options{Records: 100})
	r := receive(t, nil)
	if _, err := a.sandbox.Webhook(sandbox.Webhook{
		Name: "mine", URL: r.URL, Type: sandbox.DataModelChanges, Headers: map[string]string{"api_key": "secret"},
	}); err != nil {
		t.Fatal(err)
	}
	a.sync(`{"company_id":1001,"data_models_to_sync":["CONTACTS",{"data_model":"ITEMS","sync_from":"2024-01-01"}]}`)
	a.sync(`{"company_id":1001,"full_sync":true,"data_models_to_sync":["CONTACTS"]}`)
	got := make(map[string]bool)
	for _, raw := range r.accepted {
		got[decode(t, raw).Model] = true
	}
	if len(got) != 2 || !got["CONTACTS"] || !got["ITEMS"] {
		t.Errorf("models %v, want CONTACTS and ITEMS", got)
	}
	same(t, replay(t, r.accepted), described(t, a.sandbox.Expected()))
}

type page struct {
	Data []struct {
		PlatformID string  `json:"platform_id"`
		DeletedAt  *string `json:"rootfi_deleted_at"`
		CompanyID  int64   `json:"rootfi_company_id"`
	}
	Next *string
}

func TestReads(t *testing.T) {
	t.Parallel()
	a := serve(t, sandbox.Options{Seed: 8, Companies: 2, Records: 300})
	a.sync(`{"company_id":9001}`)
	a.sync(`{"company_id":9001,"full_sync":true}`)

	alive, deleted := make(map[string]bool), 0
	for _, r := range a.sandbox.Expected() {
		switch {
		case r.Model != "BANK_TRANSACTIONS":
		case r.Deleted:
			deleted++
		default:
			alive[r.PlatformID] = true
		}
	}
	for path, want := range map[string]int{
		"?rootfi_company_id[eq]=9001&limit=7":                                     len(alive),
		"?rootfi_company_id[eq]=9001&limit=7&include_deleted_records=true":        len(alive) + deleted,
		"?rootfi_company_id[eq]=9001&rootfi_updated_at[gte]=2030-01-01T00:00:00Z": 0,
	} {
		got, gone, next := 0, 0, ""
		for {
			var p page
			query := strings.NewReplacer("[", "%5B", "]", "%5D").Replace(path)
			if status := a.call("GET", "/v3/accounting/bank_transactions"+query+next, "", &p); status != http.StatusOK {
				t.Fatalf("%s: status %d", path, status)
			}
			for _, r := range p.Data {
				got++
				if r.DeletedAt != nil {
					gone++
				} else if !alive[r.PlatformID] {
					t.Errorf("%s is not expected", r.PlatformID)
				}
				if r.CompanyID != 9001 {
					t.Errorf("%s belongs to company %d", r.PlatformID, r.CompanyID)
				}
			}
			if p.Next == nil {
				break
			}
			next = "&next=" + *p.Next
		}
		if got != want || gone != 0 && gone != deleted {
			t.Errorf("%s: %d records, %d of them deleted, want %d and %d", path, got, gone, want, deleted)
		}
	}
	var one page
	for id := range alive {
		a.call("GET", "/v3/accounting/bank_transactions?platform_id%5Beq%5D="+id, "", &one)
		break
	}
	if len(one.Data) != 1 {
		t.Errorf("%d records by id", len(one.Data))
	}
}
