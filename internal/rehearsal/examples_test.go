package rehearsal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/payloads"
	"github.com/sluicehq/sluice/internal/rehearsal"
)

const examples = "../../config/examples"

func load(t *testing.T, path string) *rehearsal.Rehearsal {
	t.Helper()
	f, err := config.Loader{Lenient: true}.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rehearsal.New(f.Config, payloads.ByFormat())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The examples do what their tests say, as with sluice test.
func TestExamples(t *testing.T) {
	tested := 0
	for _, name := range []string{"warehouse.yaml", "crm.yaml", "slack.yaml", "tenants"} {
		path := filepath.Join(examples, name)
		files := rehearsal.Beside(path)
		if len(files) == 0 {
			t.Errorf("%s has no tests", name)
		}
		r := load(t, path)
		for _, file := range files {
			suite, err := rehearsal.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, result := range r.Run(t.Context(), suite) {
				tested++
				if !result.Passed() {
					t.Errorf("%s: %s:\n%s", result.Suite, result.Test, strings.Join(result.Failures, "\n"))
				}
			}
		}
	}
	if tested < 10 {
		t.Errorf("only %d tests ran", tested)
	}
}

// write makes a suite for the CRM example.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.test.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, path string) []rehearsal.Result {
	t.Helper()
	suite, err := rehearsal.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return load(t, filepath.Join(examples, "crm.yaml")).Run(t.Context(), suite)
}

const customer = `tests:
  - name: a customer
    events:
      - body: {rootfi_id: e1, webhook_type: DATA_MODEL_CHANGES, company_id: 1, integration_type: XERO, data_model: CONTACTS, type: CREATE, data: [{platform_id: c1, name: Acme, contact_type: CUSTOMER, tax_number: DE123}]}
`

// Whatever is not as it is written must show.
func TestDifferencesShow(t *testing.T) {
	const right = customer + `    deliveries:
      - {destination: audit}
      - {destination: warehouse, route: warehouse, object: contacts, operation: upsert, key: {_company_id: "1", _integration_type: XERO, _platform_id: c1}, version: 1, fields: {platform_id: c1, name: Acme, contact_type: CUSTOMER, tax_number: DE123}}
      - {destination: crm, fields_include: {name: Acme}}
`
	if got := run(t, write(t, right)); !got[0].Passed() {
		t.Fatalf("what is right fails: %v", got[0].Failures)
	}
	for name, test := range map[string]struct{ from, to, want string }{
		"missing":     {"      - {destination: audit}\n", "", "audit, delivery 1: want none, got append contacts"},
		"too many":    {"{destination: audit}", "{destination: audit}\n      - {destination: audit}", "audit, delivery 2: want one, got none"},
		"destination": {"{destination: audit}", "{destination: audti}", "audti, delivery 1: want one, got none"},
		"route":       {"route: warehouse", "route: audit", "warehouse, delivery 1: route: want audit, got warehouse"},
		"object":      {"object: contacts", "object: contact", "object: want contact, got contacts"},
		"operation":   {"operation: upsert", "operation: delete", "operation: want delete, got upsert"},
		"key":         {"_platform_id: c1}", "_platform_id: c2}", "key: want map[_company_id:1"},
		"version":     {"version: 1", "version: 2", "version: want 2, got 1"},
		"value":       {"fields_include: {name: Acme}", "fields_include: {name: Acne}", `fields.name: want "Acne", got "Acme"`},
		"type":        {"fields_include: {name: Acme}", "fields_include: {name: 1}", `fields.name: want 1, got "Acme"`},
		"field":       {"fields_include: {name: Acme}", "fields_include: {nam: Acme}", "fields.nam: want it, got no such field"},
		"extra field": {", tax_number: DE123}}", "}}", `fields.tax_number: want nothing, got "DE123"`},
		"problem":     {"{destination: audit}", "{destination: audit, problem: waits}", `problem: want "waits", got none`},
		"nothing":     {right[strings.Index(right, "    deliveries"):], "    deliveries: []\n", "want none, got"},
		"not said":    {right[strings.Index(right, "    deliveries"):], "", "says nothing of deliveries"},
		"unrouted":    {"    deliveries:", "    unrouted: 1\n    deliveries:", "unrouted: want 1 events, got 0"},
		"source":      {"      - body:", "      - source: other\n        body:", `there is no source "other"`},
		"no body":     {"      - body:", "      - source: rootfi\n      - body:", "give either body or file"},
		"same name":   {"tests:\n", "tests:\n  - {name: a customer, events: [{body: {}}], deliveries: []}\n", "another test of this file has the same name"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(right, test.from, test.to, 1)
			if text == right {
				t.Fatal("nothing was replaced")
			}
			got := run(t, write(t, text))
			if all := strings.Join(got[len(got)-1].Failures, "\n"); !strings.Contains(all, test.want) {
				t.Errorf("got %q, want %q", all, test.want)
			}
		})
	}
}

func TestUpdateWritesWhatPasses(t *testing.T) {
	path := write(t, "# kept\n"+customer)
	suite, err := rehearsal.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	r := load(t, filepath.Join(examples, "crm.yaml"))
	if changed, err := rehearsal.Update(suite, r.Run(t.Context(), suite)); err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	got := run(t, path)
	if !got[0].Passed() {
		t.Errorf("what was written fails: %v", got[0].Failures)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), "# kept\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if suite, err = rehearsal.Load(path); err != nil {
		t.Fatal(err)
	}
	if changed, err := rehearsal.Update(suite, r.Run(t.Context(), suite)); err != nil || changed {
		t.Errorf("a second update: changed %v, %v", changed, err)
	}
}

func TestMistakesInATestFileHavePlaces(t *testing.T) {
	_, err := rehearsal.Load(write(t, "tests:\n  - name: x\n    event: []\n"))
	if err == nil || !strings.Contains(err.Error(), "x.test.yaml:3:5: tests[0].event: unknown key (did you mean events?)") {
		t.Errorf("got %v", err)
	}
}

func TestJUnit(t *testing.T) {
	got, err := rehearsal.JUnit([]rehearsal.Result{
		{Suite: "a.yaml", Test: "good"}, {Suite: "a.yaml", Test: "<bad>", Failures: []string{"one \"&\"", "two"}}, {Suite: "b.yaml", Test: "other"},
	})
	want := `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="a.yaml" tests="2" failures="1" time="0.000">
    <testcase name="good" classname="a.yaml" time="0.000"></testcase>
    <testcase name="&lt;bad&gt;" classname="a.yaml" time="0.000">
      <failure message="one &#34;&amp;&#34;">one &#34;&amp;&#34;&#xA;two</failure>
    </testcase>
  </testsuite>
  <testsuite name="b.yaml" tests="1" failures="0" time="0.000">
    <testcase name="other" classname="b.yaml" time="0.000"></testcase>
  </testsuite>
</testsuites>
`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestExplainShowsWhatATestGets(t *testing.T) {
	r := load(t, filepath.Join(examples, "crm.yaml"))
	body := []byte(`{"rootfi_id":"e1","webhook_type":"DATA_MODEL_CHANGES","company_id":1,"integration_type":"XERO","data_model":"INVOICES","type":"CREATE",
		"data":[{"platform_id":"i1","contact_id":"c1","status":"SUBMITTED","total_amount":150.10,"amount_due":50.10},"nothing"]}`)
	got, err := r.Explain(t.Context(), rehearsal.Input{Body: body})
	if err != nil || len(got.Parts) != 1 || len(got.Unkeyed) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	why := make(map[string]string)
	for _, v := range got.Parts[0].Routes {
		why[v.Route] = v.Reason
	}
	if why["crm-customers"] != `models does not match "INVOICES"` || why["crm-invoices"] != "" || why["warehouse"] != "" || why["audit"] != "" {
		t.Errorf("verdicts %v", why)
	}
	shown := make(map[string]string)
	for _, d := range got.Parts[0].Deliveries {
		shown[d.Destination] += d.String() + "\n"
	}
	if want := `{"amount":150.10,"closedate":null,"deal_currency_code":null,"dealname":"Invoice i1","dealstage":"contractsent",`; !strings.Contains(shown["crm"], want) || !strings.Contains(shown["crm"], "waits until the destination has the record of CONTACTS") {
		t.Errorf("crm gets %s", shown["crm"])
	}
	if !strings.Contains(shown["audit"], "append invoices") || !strings.Contains(shown["warehouse"], "upsert invoices") {
		t.Errorf("shown %v", shown)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(customer))
	f.Add([]byte("tests: [{name: x, events: [{file: y}], deliveries: []}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.test.yaml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		suite, err := rehearsal.Load(path)
		if err != nil {
			return
		}
		r := load(t, filepath.Join(examples, "crm.yaml"))
		if results := r.Run(t.Context(), suite); len(results) != len(suite.Tests) {
			t.Fatalf("%d results of %d tests", len(results), len(suite.Tests))
		}
	})
}
