package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
)

// process is a running Sluice without the rest of it.
type process struct {
	parts    map[string]string
	check    func(destination string) error
	reloaded int
	woken    int
}

func (p *process) Ready(context.Context) map[string]string { return p.parts }

func (p *process) Check(_ context.Context, destination string) error { return p.check(destination) }

func (p *process) Plugins() []admin.Plugin {
	return []admin.Plugin{{Destination: "warehouse", Plugin: "sqlite", Version: "1.2.3", State: "running", PID: 42}}
}

func (p *process) Links() admin.Links { return admin.Links{Endpoint: "http://hooks/", DataDir: "data"} }
func (p *process) Wake()              { p.woken++ }

func (p *process) Active() admin.ActiveConfiguration {
	return admin.ActiveConfiguration{Path: "sluice.yaml", Revision: "abc"}
}

func (p *process) Reload(context.Context) admin.Reload {
	p.reloaded++
	return admin.Reload{Revision: "def", Applied: true, Added: []string{"crm"}}
}

// fixture is the admin listener over a real ledger.
type fixture struct {
	*testing.T
	ledger  *sqlite.Ledger
	process *process
	log     strings.Builder
	server  *httptest.Server
	client  *admin.Client
}

func start(t *testing.T, change func(*admin.Options)) *fixture {
	l, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // some tests close it early
	f := &fixture{T: t, ledger: l, process: &process{check: func(string) error { return nil }}}
	o := admin.Options{
		Store: l, Process: f.process, Logger: slog.New(slog.NewTextHandler(&f.log, nil)),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "sluice_up 1") }),
	}
	if change != nil {
		change(&o)
	}
	f.server = httptest.NewServer(admin.New(o))
	t.Cleanup(f.server.Close)
	f.client = admin.NewClient(f.address(), o.Token)
	return f
}

func (f *fixture) address() string { return strings.TrimPrefix(f.server.URL, "http://") }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// book appends one event of two accounts, and has one of them delivered and one
// given up.
func (f *fixture) book() {
	f.Helper()
	ctx := f.Context()
	now := time.Now()
	_, err := f.ledger.Append(ctx, event.Event{
		Source: "rootfi", ID: "evt/1", Kind: event.KindDataModelChanges, Format: "rootfi/v3b", ReceivedAt: now,
		CompanyID: "4711", Integration: "XERO", Model: "ACCOUNTS", Operation: event.Create, Records: 2, Body: []byte(`{"amount":1.10}`),
	})
	f.must(err)
	b, _, err := f.ledger.ClaimBatch(ctx, 10)
	f.must(err)
	var changes []event.Change
	for i, id := range []string{"a-1", "a-2"} {
		changes = append(changes, event.Change{
			Key:       event.RecordKey{Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: "ACCOUNTS", PlatformID: id},
			Operation: event.Create, Stamp: event.Stamp{At: 1, Seq: 1, Index: int64(i)},
			Fields: map[string]json.RawMessage{"balance": json.RawMessage("12345678901234567890.10")},
		})
	}
	_, err = f.ledger.Apply(ctx, ledger.Application{
		Batch: b.ID, Changes: changes, Final: true,
		Route: func(ledger.Merged) []ledger.Want { return []ledger.Want{{Destination: "warehouse", Route: "r"}} },
	})
	f.must(err)
	f.settle(ledger.OutcomeDelivered, ledger.OutcomeDead)
}

// settle books outcomes for what waits, in order.
func (f *fixture) settle(results ...ledger.OutcomeKind) {
	f.Helper()
	c, err := f.ledger.Claim(f.Context(), ledger.ClaimRequest{Destination: "warehouse", Limit: 10, Lease: time.Minute})
	f.must(err)
	if len(c.Items) != len(results) {
		f.Fatalf("%d deliveries wait, want %d", len(c.Items), len(results))
	}
	var out []ledger.Outcome
	for i, item := range c.Items {
		out = append(out, ledger.Outcome{
			DeliveryID: item.ID, Result: results[i], Version: item.Wanted, ErrorKind: "rejected", Code: "E42", Message: "no <such> account",
		})
	}
	f.must(f.ledger.Settle(f.Context(), c.Token, out))
}

// ask makes a request and returns its status and body.
func (f *fixture) ask(method, path, body string, change func(*http.Request)) (int, string) {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, f.server.URL+path, strings.NewReader(body))
	f.must(err)
	if change != nil {
		change(req)
	}
	res, err := http.DefaultClient.Do(req)
	f.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	f.must(err)
	return res.StatusCode, string(text)
}

func TestEventsAndRecords(t *testing.T) {
	f := start(t, nil)
	f.book()
	ctx := t.Context()

	list, err := f.client.Events(ctx, map[string]string{"model": "ACCOUNTS", "limit": "5", "source": ""})
	f.must(err)
	if len(list) != 1 || list[0].ID != "evt/1" || list[0].State != "applied" || list[0].Body != nil {
		t.Errorf("events: %+v", list)
	}
	if list, err = f.client.Events(ctx, map[string]string{"model": "BILLS"}); err != nil || list == nil || len(list) != 0 {
		t.Errorf("events of no model: %v, %v, want an empty list", list, err)
	}
	e, err := f.client.Event(ctx, "rootfi", "evt/1")
	f.must(err)
	if string(e.Body) != `{"amount":1.10}` || len(e.Deliveries) != 1 || e.Deliveries[0].Dead != 1 || e.Deliveries[0].Delivered != 1 {
		t.Errorf("event: %+v", e)
	}
	records, err := f.client.Records(ctx, map[string]string{"platform_id": "a-1"})
	f.must(err)
	if len(records) != 1 || string(records[0].Fields["balance"]) != "12345678901234567890.10" || records[0].Deliveries[0].State != "delivered" {
		t.Errorf("records: %+v", records)
	}

	for name, path := range map[string]string{
		"event": "/api/v1/events/rootfi/none", "source": "/api/v1/events/other/evt%2F1", "record": "/api/v1/records?platform_id=none",
		"dead letter": "/api/v1/dead-letters/99", "page": "/api/v2", "root": "/",
	} {
		if status, body := f.ask("GET", path, "", nil); status != 404 || !strings.Contains(body, `"code":"not_found"`) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for name, path := range map[string]string{
		"limit": "/api/v1/events?limit=many", "unrouted": "/api/v1/events?unrouted=maybe", "negative": "/api/v1/events?limit=-1", "before": "/api/v1/events?before=x",
		"dead letters": "/api/v1/dead-letters?limit=x", "id": "/api/v1/dead-letters/x", "no platform id": "/api/v1/records",
	} {
		if status, body := f.ask("GET", path, "", nil); status != 400 || !strings.Contains(body, `"code":"bad_request"`) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func TestDeadLetters(t *testing.T) {
	f := start(t, nil)
	ctx := t.Context()
	if list, err := f.client.DeadLetters(ctx, nil); err != nil || list == nil {
		t.Errorf("dead letters: %v, %v, want an empty list", list, err)
	}
	f.book()
	list, err := f.client.DeadLetters(ctx, map[string]string{"destination": "warehouse", "model": "ACCOUNTS", "code": "E42"})
	f.must(err)
	if len(list) != 1 || list[0].Message != "no <such> account" || list[0].Key.PlatformID != "a-2" {
		t.Fatalf("dead letters: %+v", list)
	}
	got, err := f.client.DeadLetter(ctx, fmt.Sprint(list[0].ID))
	f.must(err)
	if got != list[0] {
		t.Errorf("dead letter: %+v, want %+v", got, list[0])
	}

	for name, body := range map[string]string{
		"nothing named":  `{"action":"retry"}`,
		"unknown action": `{"action":"forget","all":true}`,
		"unknown field":  `{"action":"retry","all":true,"everything":true}`,
		"not JSON":       `retry`,
		"too large":      `{"action":"retry","code":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		if status, _ := f.ask("POST", "/api/v1/dead-letters", body, nil); status != 400 {
			t.Errorf("%s: status %d", name, status)
		}
	}
	if list, _ = f.client.DeadLetters(ctx, nil); len(list) != 1 || f.process.woken != 0 {
		t.Fatalf("a refused action acted: %+v", list)
	}

	done, err := f.client.ActOnDeadLetters(ctx, admin.DeadLetterAction{Action: "retry", Code: "other"})
	f.must(err)
	if done.Count != 0 {
		t.Errorf("retried %d of another code", done.Count)
	}
	done, err = f.client.ActOnDeadLetters(ctx, admin.DeadLetterAction{Action: "retry", IDs: []int64{list[0].ID}})
	f.must(err)
	if done.Count != 1 || done.Batch == 0 || f.process.woken == 0 {
		t.Errorf("retry: %+v, woken %d times", done, f.process.woken)
	}
	f.settle(ledger.OutcomeDead)
	done, err = f.client.ActOnDeadLetters(ctx, admin.DeadLetterAction{Action: "discard", All: true})
	f.must(err)
	if done.Count != 1 {
		t.Errorf("discard: %+v", done)
	}
	if list, err = f.client.DeadLetters(ctx, nil); err != nil || len(list) != 0 {
		t.Errorf("left: %+v, %v", list, err)
	}
}

func TestDestinations(t *testing.T) {
	f := start(t, nil)
	f.book()
	ctx := t.Context()
	_, err := f.client.ActOnDestination(ctx, "warehouse", "pause")
	f.must(err)
	f.must(f.ledger.Pause(ctx, ledger.Pause{Destination: "former", Reason: ledger.PauseOperator, Since: time.Now()}))
	list, err := f.client.Destinations(ctx)
	f.must(err)
	if len(list) != 2 || list[0].Destination != "warehouse" || list[0].Process.PID != 42 || list[0].Delivered != 1 || list[0].Dead != 1 ||
		list[0].Pause == nil || list[0].Pause.Reason != ledger.PauseOperator {
		t.Errorf("destinations: %+v", list)
	}
	if list[1].Destination != "former" || list[1].Process != nil {
		t.Errorf("a destination that left the configuration: %+v", list[1])
	}
	_, err = f.client.ActOnDestination(ctx, "warehouse", "resume")
	f.must(err)
	if pauses, err := f.ledger.Pauses(ctx); err != nil || len(pauses) != 1 {
		t.Errorf("pauses: %+v, %v", pauses, err)
	}

	if got, err := f.client.ActOnDestination(ctx, "warehouse", "check"); err != nil || !got.OK {
		t.Errorf("check: %+v, %v", got, err)
	}
	f.process.check = func(string) error { return errors.New("wrong password") }
	if got, err := f.client.ActOnDestination(ctx, "warehouse", "check"); err != nil || got.OK || got.Problem != "wrong password" {
		t.Errorf("check: %+v, %v", got, err)
	}
	for _, path := range []string{"/api/v1/destinations/former/pause", "/api/v1/destinations/warehouse/explode"} {
		if status, _ := f.ask("POST", path, "{}", nil); status != 404 {
			t.Errorf("%s: status %d", path, status)
		}
	}
	if status, _ := f.ask("GET", "/api/v1/destinations/warehouse/pause", "", nil); status != 405 {
		t.Errorf("GET of an action: status %d", status)
	}
}

func TestStatus(t *testing.T) {
	f := start(t, nil)
	f.book()
	s, err := f.client.Status(t.Context())
	f.must(err)
	if s.Links.Endpoint != "http://hooks/" || s.Models["ACCOUNTS"].Changed != 2 || len(s.Deliveries) != 1 || s.Backlog.Events != 0 {
		t.Errorf("status: %+v", s)
	}
}

func TestReadiness(t *testing.T) {
	for name, tt := range map[string]struct {
		parts  map[string]string
		code   int
		status string
	}{
		"all well":          {map[string]string{"ledger": "", "temporal": "", "plugins": ""}, 200, admin.StatusReady},
		"temporal away":     {map[string]string{"ledger": "", "temporal": "away"}, 200, admin.StatusDegraded},
		"ledger away":       {map[string]string{"ledger": "away", "temporal": ""}, 503, admin.StatusNotReady},
		"everything's away": {map[string]string{"ledger": "away", "temporal": "away", "plugins": "away"}, 503, admin.StatusNotReady},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, func(o *admin.Options) { o.Token = "t0ken" })
			f.process.parts = tt.parts
			code, body := f.ask("GET", "/readyz", "", nil) // load balancers have no token
			var got admin.Readiness
			f.must(json.Unmarshal([]byte(body), &got))
			if code != tt.code || got.Status != tt.status || len(got.Parts) != len(tt.parts) {
				t.Errorf("%d %s", code, body)
			}
			if got, err := f.client.Ready(t.Context()); err != nil || got.Status != tt.status {
				t.Errorf("client: %+v, %v", got, err)
			}
			if code, _ := f.ask("GET", "/healthz", "", nil); code != 200 {
				t.Errorf("healthz: %d", code)
			}
		})
	}
}

// paths are one of each route that operators only may use.
var paths = map[string]string{
	"GET /metrics": "", "GET /debug/pprof/": "", "GET /debug/pprof/goroutine": "", "GET /api/v1/status": "",
	"GET /api/v1/events": "", "GET /api/v1/events/rootfi/evt%2F1": "", "GET /api/v1/records?platform_id=a-1": "",
	"GET /api/v1/dead-letters": "", "GET /api/v1/dead-letters/1": "", "POST /api/v1/dead-letters": `{"action":"discard","code":"none"}`,
	"GET /api/v1/destinations": "", "POST /api/v1/destinations/warehouse/resume": "{}",
}

func TestTokenIsAskedForEverywhere(t *testing.T) {
	f := start(t, func(o *admin.Options) { o.Token = "t0ken" })
	f.book()
	for path, body := range paths {
		method, path, _ := strings.Cut(path, " ")
		for header, want := range map[string]int{
			"": 401, "Bearer other": 401, "Bearer ": 401, "Bearer t0ken2": 401, "t0ken": 401, "Basic t0ken": 401, "Bearer t0ken": 200,
		} {
			status, got := f.ask(method, path, body, func(r *http.Request) {
				if header != "" {
					r.Header.Set("Authorization", header)
				}
				r.Host = "sluice.example.com" // with a token, any name will do
			})
			if status != want {
				t.Errorf("%s %s with %q: %d %s, want %d", method, path, header, status, got, want)
			}
		}
	}
}

// Without a token only loopback is answered, and not for a page that had a name
// of its own resolve to it.
func TestNamesThatResolveToLoopbackAreRefused(t *testing.T) {
	f := start(t, nil)
	f.book()
	for path, body := range paths {
		method, path, _ := strings.Cut(path, " ")
		for host, want := range map[string]int{
			"": 200, "localhost": 200, "localhost:8081": 200, "127.0.0.1:8081": 200, "127.1.2.3": 200, "[::1]:8081": 200, "[::1]": 200,
			"evil.example.com": 403, "evil.example.com:8081": 403, "127.0.0.1.evil.example.com": 403, "192.168.1.7:8081": 403, "localhost.evil.com": 403, "0.0.0.0": 403,
		} {
			status, got := f.ask(method, path, body, func(r *http.Request) { r.Host = host })
			if status != want {
				t.Errorf("%s %s at %q: %d %s, want %d", method, path, host, status, got, want)
			}
		}
	}
}

func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	f := start(t, nil)
	f.book()
	for name, header := range map[string]map[string]string{
		"origin":       {"Origin": "https://evil.example.com"},
		"fetch":        {"Sec-Fetch-Site": "cross-site"},
		"same site":    {"Sec-Fetch-Site": "same-site"},
		"opaque":       {"Origin": "null"},
		"simple types": {"Origin": "http://localhost:1", "Content-Type": "text/plain"},
	} {
		status, body := f.ask("POST", "/api/v1/dead-letters", `{"action":"discard","all":true}`, func(r *http.Request) {
			for k, v := range header {
				r.Header.Set(k, v)
			}
		})
		if status != 403 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if list, err := f.client.DeadLetters(t.Context(), nil); err != nil || len(list) != 1 {
		t.Errorf("dead letters: %+v, %v", list, err)
	}
}

// What is wrong with the ledger is for the log.
func TestInternalErrorsAreNotTold(t *testing.T) {
	f := start(t, nil)
	f.must(f.ledger.Close())
	status, body := f.ask("GET", "/api/v1/events", "", nil)
	if status != 500 || !strings.Contains(body, "see the log") || strings.Contains(body, "closed") {
		t.Errorf("%d %s", status, body)
	}
	if !strings.Contains(f.log.String(), "/api/v1/events") {
		t.Errorf("the log says %q", f.log.String())
	}
}

func TestClientSaysWhoIsThere(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	address := strings.TrimPrefix(s.URL, "http://")
	if _, err := admin.NewClient(address, "").Status(t.Context()); err == nil || !strings.Contains(err.Error(), "is no sluice") {
		t.Errorf("another server: %v", err)
	}
	s.Close()
	if _, err := admin.NewClient(address, "").Status(t.Context()); err == nil || !strings.Contains(err.Error(), "no sluice answers at http://"+address) {
		t.Errorf("no server: %v", err)
	}
	f := start(t, nil)
	_, port, _ := strings.Cut(f.address(), ":")
	for _, all := range []string{":" + port, "0.0.0.0:" + port, "[::]:" + port} {
		if _, err := admin.NewClient(all, "").Status(t.Context()); err != nil {
			t.Errorf("%s: %v", all, err)
		}
	}
}

func TestReload(t *testing.T) {
	f := start(t, func(o *admin.Options) { o.Token = "t0ken" })
	out, err := f.client.Reload(t.Context())
	f.must(err)
	if f.process.reloaded != 1 || out.Revision != "def" || !out.Applied || len(out.Added) != 1 {
		t.Errorf("got %+v after %d reloads", out, f.process.reloaded)
	}
	status, err := f.client.Status(t.Context())
	f.must(err)
	if status.Config.Revision != "abc" {
		t.Errorf("got %+v", status.Config)
	}
	if _, err := admin.NewClient(f.address(), "other").Reload(t.Context()); err == nil || f.process.reloaded != 1 {
		t.Errorf("without the token: %v, %d reloads", err, f.process.reloaded)
	}
}
