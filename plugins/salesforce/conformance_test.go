package main

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/salesforce"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/conformance/httpfault"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// harness gives every behaviour an org of its own.
type harness struct {
	config map[string]any
	lacks  map[string]string
	binary string // "": in process

	mu   *sync.Mutex
	orgs map[string]org // by login_url
}

// org is one of Salesforce's, with what can go wrong with it.
type org struct {
	*fake.Server
	faults *httpfault.Handler
}

// orgSchema has the objects of the suite, as an administrator would make them.
func orgSchema() fake.Schema {
	fields := map[string]fake.Field{
		"Key__c": {ExternalID: true}, "Version__c": {Kind: fake.Number}, "Deleted__c": {Kind: fake.Checkbox},
		"memo": {Length: 131072}, "note": {}, "amount": {Kind: fake.Number}, "units": {Kind: fake.Number},
		"paid": {Kind: fake.Checkbox}, "due_at": {Kind: fake.DateTime}, "lines": {Length: 131072}, "brand_new": {},
		"field_0": {Kind: fake.Number}, "field_1": {Kind: fake.Number}, "field_2": {Kind: fake.Number}, "field_3": {Kind: fake.Number},
	}
	return fake.Schema{"invoices": fields, "bills": fields}
}

// always are behaviours that no object of Salesforce can have.
var always = map[string]string{
	"empty_text": "Salesforce keeps no empty text: it is null",
	"integers":   "a number field of Salesforce has 18 digits",
	"decimals":   "a number field of Salesforce has 18 digits",
	"timestamps": "a date/time field of Salesforce keeps no fractions of a second, and takes no date",
	"untyped":    "a field of Salesforce has one type, which its administrator chose",
	"large":      "a long text area of Salesforce holds 131,072 characters",
	"null":       "a checkbox of Salesforce is never null; see TestNullAndAbsent for the other types",
}

func lacks(more map[string]string) map[string]string {
	out := maps.Clone(always)
	maps.Copy(out, more)
	return out
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "the fake of `sluice sandbox salesforce`")
	binary := hosttest.Build(t, ".", "salesforce")
	const unguarded = "without version_field nothing tells the age of what Salesforce has"
	for name, h := range map[string]harness{
		"soft": {
			config: map[string]any{"version_field": "Version__c", "delete": "soft", "deleted_field": "Deleted__c"},
			lacks:  lacks(nil),
		},
		"hard": {
			config: map[string]any{"version_field": "Version__c"},
			lacks:  lacks(map[string]string{"older_version_after_delete": "the version goes with the record; use delete: soft"}),
		},
		"unguarded": {
			config: map[string]any{},
			lacks: lacks(map[string]string{
				"older_version": unguarded, "older_version_after_restart": unguarded, "older_version_after_delete": unguarded,
			}),
		},
		"bulk": {
			config: map[string]any{"version_field": "Version__c", "delete": "soft", "deleted_field": "Deleted__c", "bulk_threshold": 1},
			lacks:  lacks(nil),
		},
	} {
		for _, process := range []bool{false, true} {
			way := name
			if process && (name == "hard" || name == "unguarded") {
				continue // the settings differ, the process does not
			}
			if process {
				h.binary, way = binary, name+" as a process"
			}
			t.Run(way, func(t *testing.T) {
				t.Parallel()
				h.mu, h.orgs = new(sync.Mutex), map[string]org{}
				report.Run(t, h)
			})
		}
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return newSalesforce()
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	o := org{Server: fake.New(fake.Options{Schema: orgSchema(), ClientID: "client", ClientSecret: clientSecret})}
	o.faults = httpfault.New(o.Server, func() { o.ExpireTokens(0) })
	server := httptest.NewServer(o.faults)
	t.Cleanup(server.Close)
	h.mu.Lock()
	h.orgs[server.URL] = o
	h.mu.Unlock()
	config := maps.Clone(h.config)
	config["login_url"], config["client_id"], config["client_secret"] = server.URL, "client", clientSecret
	config["external_id"] = "Key__c"
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

const clientSecret = "secret-of-the-app"

func (h harness) Fault(t *testing.T, raw json.RawMessage, f conformance.Fault) bool {
	return h.org(t, raw).faults.Fault(f)
}

func (h harness) WrongCredentials(_ *testing.T, raw json.RawMessage) json.RawMessage {
	return json.RawMessage(strings.Replace(string(raw), clientSecret, "not-the-secret", 1))
}

func (h harness) org(t *testing.T, raw json.RawMessage) org {
	t.Helper()
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.orgs[s.LoginURL]
}

func (h harness) Lacks() map[string]string { return h.lacks }

func (h harness) Rows(t *testing.T, raw json.RawMessage, object string) []map[string]string {
	var out []map[string]string
	for _, r := range h.org(t, raw).Records(object) {
		row := map[string]string(r)
		parts := strings.SplitN(row["Key__c"], ":", 3)
		row["_company_id"], row["_integration_type"] = parts[0], parts[1]
		row["_platform_id"] = strings.NewReplacer(`\\`, `\`, `\:`, ":").Replace(parts[2])
		if row["Deleted__c"] == "true" {
			row["_deleted_at"] = "then"
		}
		out = append(out, row)
	}
	return out
}
