package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/demo"
	"github.com/sluicehq/sluice/internal/fake/hubspot"
	"github.com/sluicehq/sluice/internal/fake/salesforce"
	"github.com/sluicehq/sluice/internal/harness"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// perCall is how many records a call has to stand for in an initial sync, on the
// average: each call, those too that get tokens, make properties, look up versions
// and associate, that failed or were repeated. HubSpot takes 100 records with a
// call, Salesforce 200.
const perCall = 80

// answers counts what a fake answered, by status.
type answers struct {
	next http.Handler
	mu   sync.Mutex
	by   map[int]int
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen := &status{ResponseWriter: w, code: http.StatusOK}
	a.next.ServeHTTP(seen, r)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.by[seen.code]++
}

type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

func (a *answers) count(code int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.by[code]
}

// all counts the calls so far.
func (a *answers) all() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, of := range a.by {
		n += of
	}
	return n
}

func serveFake(t *testing.T, h http.Handler) (*answers, string) {
	a := &answers{next: h, by: map[int]int{}}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, server.URL
}

// The whole way, with everything that CRMs do to a client: throttling with and
// without a time, 5xx, a batch refused for a record that is not named, a record
// that is dropped without a word, tokens that expire, row locks, and one record
// that is refused for good. All else must be there in the end.
func TestWarehouseAndCRMs(t *testing.T) {
	sb := sandbox.New(sandbox.Options{Seed: 11, Records: 44000, Faults: sandbox.Faults, RetryBase: 50 * time.Millisecond})
	refused := aPayment(t, sb)
	refusedKey := said{Record: refused}.key(refused.Model, refused.PlatformID)

	hub := hubspot.New(hubspot.Options{
		ClientID: "client", ClientSecret: "secret", RefreshToken: "refresh",
		Mishaps: hubspot.Mishaps(), MishapEvery: 35, Refuse: []string{refusedKey}, Latency: 100 * time.Millisecond,
	})
	sales := salesforce.New(salesforce.Options{
		Mishaps: salesforce.Mishaps(), MishapEvery: 8, Refuse: []string{refusedKey}, Latency: 100 * time.Millisecond,
	})
	hubAnswers, hubURL := serveFake(t, hub)
	salesAnswers, salesURL := serveFake(t, sales)

	warehouse := filepath.Join(t.TempDir(), "warehouse.duckdb")
	s := newServer(t, setup{rest: fmt.Sprintf(`destinations:
  warehouse:
    plugin: duckdb
    config: {path: %q}
    retry: {initial_interval: 100ms, max_interval: 2s}
  hubspot:
    plugin: hubspot
    config:
      base_url: %q
      client_id: client
      client_secret: secret
      refresh_token: refresh
      associations:
        - {from: deals, property: rootfi_contact_key, to: companies, to_property: rootfi_key}
        - {from: payments, property: rootfi_invoice_key, to: deals, to_property: rootfi_key}
    concurrency: 1
    batch_wait: 30s
    retry: {initial_interval: 100ms, max_interval: 2s}
  salesforce:
    plugin: salesforce
    config: {login_url: %q, client_id: client, client_secret: secret, version_field: RootFi_Version__c}
    concurrency: 1
    batch_wait: 30s
    retry: {initial_interval: 100ms, max_interval: 2s}
routes:
  - name: warehouse
    to: [warehouse]
  - name: to-hubspot
    pack: rootfi/hubspot
    to: [hubspot]
  - name: to-salesforce
    pack: rootfi/salesforce
    to: [salesforce]
`, warehouse, hubURL, salesURL)})
	if err := buildDuckDB(filepath.Dir(s.Program)); err != nil {
		t.Fatal(err)
	}
	s.ready()

	perform(t, sb, s.target(), sandbox.PhaseInitial).wait()
	s.drained()
	var hubWrites, salesWrites int
	for _, c := range hub.Calls() {
		if strings.HasSuffix(c.Path, "/batch/create") || strings.HasSuffix(c.Path, "/batch/upsert") {
			hubWrites++
		}
	}
	for _, r := range sales.Requests() {
		if r.Records > 0 {
			salesWrites++
		}
	}
	fullEnough(t, "HubSpot", len(hub.Records("companies"))+len(hub.Records("deals"))+len(hub.Records("payments")), hubWrites, hubAnswers)
	fullEnough(t, "Salesforce", len(sales.Records("Account"))+len(sales.Records("Invoice__c"))+len(sales.Records("Payment__c")), salesWrites, salesAnswers)

	t.Logf("answers: %v %v", hubAnswers.by, salesAnswers.by)
	for code, a := range map[int]*answers{429: hubAnswers, 502: hubAnswers, 401: hubAnswers, 400: hubAnswers, 503: salesAnswers} {
		if a.count(code) == 0 {
			t.Errorf("no call was answered %d", code)
		}
	}
	// What comes now and then need not wait so long.
	s.configure("batch_wait: 30s", "batch_wait: 1s")
	perform(t, sb, s.target(), sandbox.PhaseIncremental, sandbox.PhaseFull).wait()
	s.drained()
	letters := deadLetters(t, s)
	if len(letters) != 2 {
		t.Errorf("the dead letters are %+v, want one of %s at each CRM", letters, refused.PlatformID)
	}
	for _, l := range letters {
		if l.Key.PlatformID != refused.PlatformID || l.Destination == "warehouse" {
			t.Errorf("dead letter %+v, want those of %s only", l, refused.PlatformID)
		}
	}
	s.stop()

	expected := sb.Expected()
	compareDuckDB(t, filepath.Dir(s.Program), warehouse, expected)
	wantHub, wantSales := expectedCRM(expected)
	delete(wantHub["payments"], refusedKey)
	delete(wantSales["Payment__c"], refusedKey)
	gotHub, links := hubState(hub)
	compareCRM(t, "HubSpot", gotHub, wantHub)
	compareLinks(t, hub, links, wantHub, everDeleted(sb))
	compareCRM(t, "Salesforce", salesState(sales, wantSales), wantSales)
}

// fullEnough looks how many records the calls of an initial sync stand for.
func fullEnough(t *testing.T, name string, records, writes int, a *answers) {
	t.Helper()
	calls := a.all()
	t.Logf("%s: %d records by %d calls that write, %d calls in all", name, records, writes, calls)
	if calls*perCall > records {
		t.Errorf("%s: %d records took %d calls, want one for %d on the average", name, records, calls, perCall)
	}
}

// aPayment is a record that nothing depends on and that is there in the end.
func aPayment(t *testing.T, sb *sandbox.Sandbox) sandbox.Record {
	for _, r := range sb.Expected() {
		if r.Model == "INVOICE_PAYMENTS" && !r.Deleted {
			return r
		}
	}
	t.Fatal("the sandbox has no payment")
	return sandbox.Record{}
}

var buildDuckDB = func() func(dir string) error {
	var once sync.Once
	var err error
	return func(dir string) error {
		once.Do(func() {
			module := filepath.Join("..", "..", "plugins", "duckdb")
			for out, pkg := range map[string]string{"plugins/sluice-destination-duckdb": ".", "dump-duckdb": "./testdata/dump"} {
				if err == nil {
					err = harness.BuildModule(context.Background(), module, pkg, filepath.Join(dir, filepath.FromSlash(out)))
				}
			}
		})
		return err
	}
}()

func deadLetters(t *testing.T, s *server) []ledger.DeadLetter {
	t.Helper()
	var letters []ledger.DeadLetter
	if err := json.Unmarshal([]byte(s.run("dead-letters", "list", "-o", "json")), &letters); err != nil {
		t.Fatal(err)
	}
	return letters
}

// compareDuckDB copies the file's tables to where database/sql reads them without
// cgo, and compares them.
func compareDuckDB(t *testing.T, dir, path string, expected []sandbox.Record) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "dump-duckdb"), path).Output()
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	var tables map[string][]map[string]string
	if err := json.Unmarshal(out, &tables); err != nil {
		t.Fatal(err)
	}
	copied := "file:" + filepath.Join(t.TempDir(), "copy.db")
	copyTables(t, copied, tables)
	compare(t, "sqlite", copied, demo.SQLiteTable, shortNumbers(expected))
}

// everDeleted are the keys of records that were deleted at some time. What is
// linked to one of those may be linked to what it was before.
func everDeleted(sb *sandbox.Sandbox) map[string]bool {
	out := map[string]bool{}
	for ev := range sb.Events() {
		if ev.Operation != "DELETE" {
			continue
		}
		var body struct {
			Data []struct {
				PlatformID string `json:"platform_id"`
			} `json:"data"`
		}
		if json.Unmarshal(ev.Body, &body) == nil {
			for _, one := range body.Data {
				out[ev.CompanyID+":"+ev.Integration+":"+ev.Model+":"+one.PlatformID] = true
			}
		}
	}
	return out
}

// compareCRM holds every record and field against what is expected.
func compareCRM(t *testing.T, name string, got, want crmState) {
	t.Helper()
	problems := 0
	report := func(format string, args ...any) {
		if problems++; problems <= 20 {
			t.Errorf(name+": "+format, args...)
		}
	}
	for object, records := range want {
		if len(records) == 0 {
			t.Errorf("%s: nothing is expected of %s", name, object)
		}
		for key, fields := range records {
			if have, ok := got[object][key]; !ok {
				report("%s %s is missing", object, key)
			} else if !maps.Equal(have, fields) {
				report("%s %s is %v, want %v", object, key, have, fields)
			}
		}
		for key := range got[object] {
			if _, ok := records[key]; !ok {
				report("%s %s is not expected", object, key)
			}
		}
	}
	if problems > 20 {
		t.Errorf("%s: and %d more", name, problems-20)
	}
}

// hubState reads the account. ids are the keys of records by their ids.
func hubState(hub *hubspot.Server) (state crmState, ids map[string]string) {
	state, ids = crmState{}, map[string]string{}
	for _, object := range []string{"companies", "deals", "payments"} {
		for id, properties := range hub.Records(object) {
			key := properties["rootfi_key"]
			for _, own := range []string{"rootfi_key", "sluice_version", "hs_object_id"} {
				delete(properties, own)
			}
			ids[id] = key
			state.put(object, key, properties)
		}
	}
	return state, ids
}

func compareLinks(t *testing.T, hub *hubspot.Server, ids map[string]string, want crmState, deleted map[string]bool) {
	t.Helper()
	have := map[[2]string]bool{}
	for _, l := range hub.Associations() {
		have[[2]string{ids[l.FromID], ids[l.ToID]}] = true
	}
	missing, looked := 0, 0
	for object, property := range map[string]string{"deals": "rootfi_contact_key", "payments": "rootfi_invoice_key"} {
		for key, fields := range want[object] {
			parent := fields[property]
			if parent == "" || deleted[parent] || deleted[key] {
				continue
			}
			if looked++; !have[[2]string{key, parent}] {
				missing++
			}
		}
	}
	if looked == 0 || missing > 0 {
		t.Errorf("HubSpot: %d of %d associations are missing", missing, looked)
	}
}

// salesState reads the org; references are keys again. Those to a record that was
// deleted are taken for right: Salesforce keeps no trace of it.
func salesState(sales *salesforce.Server, want crmState) crmState {
	state, keys := crmState{}, map[string]string{}
	objects := []string{"Account", "Invoice__c", "Payment__c"}
	for _, object := range objects {
		for _, r := range sales.Records(object) {
			keys[r["Id"]] = r["RootFi_Key__c"]
		}
	}
	for _, object := range objects {
		for _, r := range sales.Records(object) {
			key := r["RootFi_Key__c"]
			for _, reference := range []string{"Account__c", "Invoice__c"} {
				if id, ok := r[reference]; ok {
					if r[reference], ok = keys[id]; !ok {
						r[reference] = want[object][key][reference]
					}
				}
			}
			for _, own := range []string{"Id", "RootFi_Key__c", "RootFi_Version__c", "RootFi_Deleted__c"} {
				delete(r, own)
			}
			state.put(object, key, r)
		}
	}
	return state
}

// shortNumbers takes the zeros from the ends of numbers, as a column of fixed
// scale does not keep how many there were.
func shortNumbers(records []sandbox.Record) []sandbox.Record {
	out := slices.Clone(records)
	for i := range out {
		out[i].Fields = maps.Clone(out[i].Fields)
		for name, raw := range out[i].Fields {
			if number := json.Number(raw); len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
				out[i].Fields[name] = json.RawMessage(shorten(number.String()))
			}
		}
	}
	return out
}

func shorten(number string) string {
	if !strings.Contains(number, ".") {
		return number
	}
	return strings.TrimSuffix(strings.TrimRight(number, "0"), ".")
}
