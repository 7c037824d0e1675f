package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/hubspot"
	"github.com/sluicehq/sluice/plugins/destination"
)

const (
	delivered  = destination.Delivered
	refused    = destination.Rejected
	again      = destination.Retry
	dependency = destination.Dependency
)

// An initial sync costs one call for a full batch.
func TestFirstWritesAreOneCall(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	want(t, write(t, d, companies(1)), delivered)
	before := len(account.Calls())
	for i := range 5 {
		b := companies(100)
		for k := range b.Records {
			b.Records[k].Key = []string{fmt.Sprintf("%d-%d", i, k)}
		}
		want(t, write(t, d, b), delivered)
	}
	if n := len(account.Calls()) - before; n != 5 {
		t.Errorf("%d calls for 500 records, want 5", n)
	}
	if n := len(byKey(t, account, "companies")); n != 501 {
		t.Errorf("%d companies, want 501", n)
	}
}

// Each record gets HubSpot's id of itself, however the results are shuffled.
func TestResultsAreToldApart(t *testing.T) {
	d, account := open(t, fake.Options{Seed: 7}, nil)
	check := func(b destination.Batch) {
		t.Helper()
		for i, r := range write(t, d, b) {
			have := account.Records("companies")[r.ExternalID]
			if r.Kind != delivered || have["rootfi_key"] != b.Records[i].Key[0] {
				t.Errorf("record %s has the id of %s", b.Records[i].Key[0], have["rootfi_key"])
			}
		}
	}
	b := companies(50)
	check(b)
	for i := range b.Records {
		b.Records[i].Version = 2
		b.Records[i].Changed = nil
	}
	check(b)
}

// A crash between the write and its answer: the records are there already.
func TestRepeatAfterLostAnswer(t *testing.T) {
	for name, faults := range map[string]fake.Faults{"an error each": {}, "one for the batch": {ConflictFailsBatch: true}} {
		t.Run(name, func(t *testing.T) {
			d, account := open(t, fake.Options{}, nil)
			want(t, write(t, d, companies(10)), delivered)
			account.SetFaults(faults)
			want(t, write(t, d, companies(20)), delivered)
			if n := len(byKey(t, account, "companies")); n != 20 {
				t.Errorf("%d companies, want 20", n)
			}
		})
	}
}

func TestOneBadRecord(t *testing.T) {
	for name, faults := range map[string]fake.Faults{"an error of its own": {}, "the whole batch fails": {InvalidFailsBatch: true}} {
		t.Run(name, func(t *testing.T) {
			d, account := open(t, fake.Options{}, nil)
			account.SetFaults(faults)
			b := batch("deals")
			kinds := make([]destination.ResultKind, 100)
			for i := range 100 {
				amount := "12.50"
				kinds[i] = delivered
				if i == 37 {
					amount, kinds[i] = `"a lot"`, refused
				}
				b.Records = append(b.Records, company(fmt.Sprint(i), 1, fmt.Sprintf(`{"dealname":"D","dealstage":"closedwon","pipeline":"default","amount":%s}`, amount)))
			}
			results := write(t, d, b)
			want(t, results, kinds...)
			if r := results[37]; r.Code != "INVALID_DOUBLE" {
				t.Errorf("code %s: %s", r.Code, r.Message)
			}
			if n := len(byKey(t, account, "deals")); n != 99 {
				t.Errorf("%d deals, want 99", n)
			}
			// Halving 100 finds one in seven steps of two.
			if n := calls(account, "batch/upsert"); n > 15 {
				t.Errorf("%d calls to find the bad record", n)
			}
		})
	}
}

// HubSpot's contact has the address already, without a key of ours.
func TestConflictWithAnotherProperty(t *testing.T) {
	for name, faults := range map[string]fake.Faults{"an error of its own": {}, "the whole batch fails": {ConflictFailsBatch: true}} {
		t.Run(name, func(t *testing.T) {
			d, account := open(t, fake.Options{}, nil)
			want(t, write(t, d, batch("contacts", company("a", 1, `{"email":"jane@example.com"}`))), delivered)
			account.SetFaults(faults)
			results := write(t, d, batch("contacts",
				company("b", 1, `{"email":"jane@example.com"}`), company("c", 1, `{"email":"joe@example.com"}`)))
			want(t, results, refused, delivered)
			if !strings.Contains(results[0].Message, "Existing ID") || results[0].Code != "CONFLICT" {
				t.Errorf("%s %s", results[0].Code, results[0].Message)
			}
		})
	}
}

func TestSilentFailure(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	want(t, write(t, d, companies(1)), delivered)
	account.SetFaults(fake.Faults{Silent: 1})
	results := write(t, d, batch("companies", company("x", 1, `{"name":"X"}`), company("y", 1, `{"name":"Y"}`)))
	want(t, results, again, delivered)
	if results[0].Code != codeSilent {
		t.Errorf("code %s", results[0].Code)
	}
	account.SetFaults(fake.Faults{Silent: 1})
	want(t, write(t, d, batch("companies", update("y", 2, `{"name":"Y2"}`, "name"))), again)
	want(t, write(t, d, batch("companies", company("x", 1, `{"name":"X"}`), update("y", 2, `{"name":"Y2"}`, "name"))), delivered)
	if have := byKey(t, account, "companies"); have["x"] == nil || have["y"]["name"] != "Y2" {
		t.Errorf("companies %v", have)
	}
}

// What somebody changed in HubSpot stays, unless the source changed it too.
func TestUpdateSendsWhatChanged(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	want(t, write(t, d, batch("companies", company("a", 1, `{"name":"A","phone":"1","city":"Pune"}`))), delivered)
	want(t, write(t, d, batch("companies", update("a", 2, `{"name":"other","phone":null,"city":"Goa"}`, "phone", "city"))), delivered)
	have := byKey(t, account, "companies")["a"]
	if _, there := have["phone"]; have["name"] != "A" || have["city"] != "Goa" || there {
		t.Errorf("company %v", have)
	}
}

// A record that is in HubSpot with the key, but was not written by Sluice, gets
// everything.
func TestRecordWithoutVersion(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	want(t, write(t, d, companies(1)), delivered)
	account.RemoveProperty("companies", versionProperty)
	for _, r := range account.Records("companies") {
		delete(r, versionProperty)
	}
	d.schemas.forget("companies")
	want(t, write(t, d, batch("companies", update("c000", 2, `{"name":"B","city":"Goa"}`, "city"))), delivered)
	if have := byKey(t, account, "companies")["c000"]; have["city"] != "Goa" {
		t.Errorf("company %v", have)
	}
}

func TestDelete(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	want(t, write(t, d, companies(3)), delivered)
	want(t, write(t, d, batch("companies", removal("c001", 2), removal("never", 2), removal("c002", 0))), delivered)
	have := byKey(t, account, "companies")
	if len(have) != 2 || have["c000"] == nil || have["c002"] == nil {
		t.Errorf("companies %v", have)
	}
}

func TestPropertyIsRemovedMeanwhile(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	want(t, write(t, d, batch("companies", company("a", 1, `{"name":"A","region":"west"}`))), delivered)
	account.RemoveProperty("companies", "region")
	b := batch("companies", company("b", 1, `{"name":"B","region":"east"}`))
	results := write(t, d, b)
	want(t, results, again)
	if results[0].Code != codeUnknownProperty {
		t.Errorf("code %s", results[0].Code)
	}
	want(t, write(t, d, b), delivered)
	if have := byKey(t, account, "companies")["b"]; have["region"] != "east" {
		t.Errorf("company %v", have)
	}
}

var dealAssociation = map[string]any{"associations": []association{
	{From: "deals", Property: "rootfi_contact_key", To: "companies", ToProperty: "rootfi_key"},
}}

func deal(key, company string) destination.Record {
	return update(key, 1, fmt.Sprintf(`{"dealname":"D","dealstage":"closedwon","pipeline":"default","rootfi_contact_key":%q}`, company), "rootfi_contact_key")
}

func TestAssociations(t *testing.T) {
	d, account := open(t, fake.Options{}, dealAssociation)
	// No company yet, not even the property.
	results := write(t, d, batch("deals", deal("d1", "c000")))
	want(t, results, dependency)
	if results[0].Code != codeParent || len(byKey(t, account, "deals")) != 1 {
		t.Errorf("%s, deals %v", results[0].Code, byKey(t, account, "deals"))
	}
	want(t, write(t, d, companies(2)), delivered)
	// The same version once more: only the association is missing.
	results = write(t, d, batch("deals", deal("d1", "c000"), deal("d2", "c001"), deal("d3", "none")))
	want(t, results, delivered, delivered, dependency)
	parents := byKey(t, account, "companies")
	links := account.Associations()
	if len(links) != 2 {
		t.Fatalf("associations %v", links)
	}
	for i, parent := range []string{"c000", "c001"} {
		wanted := fake.Association{From: "deals", FromID: results[i].ExternalID, To: "companies", ToID: parents[parent]["hs_object_id"]}
		if links[i] != wanted {
			t.Errorf("association %v, want %v", links[i], wanted)
		}
	}
}

func TestAssociationFails(t *testing.T) {
	d, account := open(t, fake.Options{}, dealAssociation)
	want(t, write(t, d, companies(1)), delivered)
	for status, kind := range map[int]destination.ResultKind{429: destination.Throttled, 500: again, 404: dependency, 403: destination.Misconfigured} {
		account.SetFaults(fake.Faults{Fail: []fake.Failure{{Path: "/associations/", Status: status}}})
		b := batch("deals", deal(fmt.Sprint("d", status), "c000"))
		want(t, write(t, d, b), kind)
		want(t, write(t, d, b), delivered)
	}
	if n := len(account.Associations()); n != 4 {
		t.Errorf("%d associations, want 4", n)
	}
}

// archive is somebody else who deletes a company.
func archive(t *testing.T, account *fake.Server, key string) {
	t.Helper()
	body := fmt.Sprintf(`{"inputs":[{"id":%q}]}`, byKey(t, account, "companies")[key]["hs_object_id"])
	r := httptest.NewRequest(http.MethodPost, "/crm/objects/2026-09/companies/batch/archive", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	account.ServeHTTP(httptest.NewRecorder(), r)
}

// What was written needs no look-up; what somebody deleted since does.
func TestParentsAreRemembered(t *testing.T) {
	d, account := open(t, fake.Options{}, dealAssociation)
	want(t, write(t, d, companies(2)), delivered)
	reads := func() (n int) {
		for _, c := range account.Calls() {
			if strings.HasSuffix(c.Path, "/companies/batch/read") {
				n++
			}
		}
		return n
	}
	want(t, write(t, d, batch("deals", deal("d1", "c000"), deal("d2", "c001"))), delivered)
	if n := reads(); n != 0 || len(account.Associations()) != 2 {
		t.Errorf("%d reads, associations %v", n, account.Associations())
	}
	archive(t, account, "c000")
	for range 2 {
		want(t, write(t, d, batch("deals", deal("d3", "c000"))), dependency)
	}
	if n := reads(); n != 1 {
		t.Errorf("%d reads after the company is gone, want one", n)
	}
	// By Sluice, and made anew: the old id must not come back.
	want(t, write(t, d, batch("companies", removal("c001", 2))), delivered)
	want(t, write(t, d, batch("companies", company("c001", 3, `{"name":"N","rootfi_key":"c001"}`))), delivered)
	want(t, write(t, d, batch("deals", deal("d4", "c001"))), delivered)
	if n := len(account.Associations()); n != 3 {
		t.Errorf("%d associations, want 3", n)
	}
}

// Batches have 100 records, associations go by the thousand; and of the many only
// the one whose parent is gone waits.
func TestManyRecordsAtOnce(t *testing.T) {
	d, account := open(t, fake.Options{}, dealAssociation)
	want(t, write(t, d, companies(250)), delivered)
	archive(t, account, "c077")
	b := batch("deals")
	kinds := make([]destination.ResultKind, 250)
	for i := range kinds {
		b.Records = append(b.Records, deal(fmt.Sprintf("d%03d", i), fmt.Sprintf("c%03d", i)))
		if kinds[i] = delivered; i == 77 {
			kinds[i] = dependency
		}
	}
	want(t, write(t, d, b), kinds...)
	if n := calls(account, "/companies/batch/create"); n != 3+1 { // one makes properties
		t.Errorf("%d calls for 250 companies", n)
	}
	if n := calls(account, "/associations/"); n > 20 {
		t.Errorf("%d calls for 250 associations", n)
	}
	if n := len(account.Associations()); n != 249 {
		t.Errorf("%d associations", n)
	}
}

// A Write that is cut short makes the associations of what it wrote: else all of
// that would be written again.
func TestAssociationsAfterAnError(t *testing.T) {
	d, account := open(t, fake.Options{}, dealAssociation)
	want(t, write(t, d, companies(1)), delivered)
	b := batch("deals")
	for i := range 150 {
		b.Records = append(b.Records, deal(fmt.Sprintf("d%03d", i), "c000"))
	}
	account.SetFaults(fake.Faults{Fail: []fake.Failure{{Path: "/deals/batch/upsert", Status: 502, Skip: 1}}})
	results := write(t, d, b)
	want(t, results[:100], delivered)
	want(t, results[100:], again)
	if n := len(account.Associations()); n != 100 {
		t.Errorf("%d associations", n)
	}
}

// What was written is not written again because its associations failed, unless
// HubSpot says that something is gone.
func TestOnlyAssociationsAreRepeated(t *testing.T) {
	for status, writes := range map[int]int{429: 1, 502: 1, 404: 2} {
		d, account := open(t, fake.Options{}, dealAssociation)
		want(t, write(t, d, companies(1)), delivered)
		b := batch("deals", deal("d1", "c000"))
		account.SetFaults(fake.Faults{Fail: []fake.Failure{{Path: "/associations/", Status: status}}})
		if r := write(t, d, b)[0]; r.Kind == destination.Delivered {
			t.Errorf("%d: delivered without its association", status)
		}
		want(t, write(t, d, b), delivered)
		looks := calls(account, "/deals/batch/read")
		if n := len(account.Associations()); n != 1 || looks != writes {
			t.Errorf("%d: %d associations, %d looks at the deal, want %d", status, n, looks, writes)
		}
		// A later version is written.
		want(t, write(t, d, batch("deals", update("d1", 2, `{"dealname":"E"}`, "dealname"))), delivered)
		if name := byKey(t, account, "deals")["d1"]["dealname"]; name != "E" {
			t.Errorf("%d: the deal is called %q", status, name)
		}
	}
}
