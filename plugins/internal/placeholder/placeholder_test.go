package placeholder

import (
	"path"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

func TestPath(t *testing.T) {
	r := destination.Record{
		OccurredAt: time.Date(2026, 3, 1, 23, 30, 0, 0, time.FixedZone("", -3600)),
		Origin:     destination.Origin{Source: "rootfi", CompanyID: "../47/11", Integration: "", Model: "INVOICES"},
	}
	for template, want := range map[string]string{
		"{object}.jsonl": "invoices.jsonl",
		"a={source}/date={date}/{hour}-{part}.jsonl":  "a=rootfi/date=2026-03-02/00-p1.jsonl",
		"{company_id}/{integration}/{model}/{object}": "%2E.%2F47%2F11/%/INVOICES/invoices",
	} {
		p, err := ParsePath(template, "part")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Of("invoices", &r, Extra{"part": "p1"}); got != want {
			t.Errorf("%s: %s, want %s", template, got, want)
		}
	}
	for template, problem := range map[string]string{
		"/x": "empty", "a//b": "empty", ".x/y": "dot", "{table}": "{object}", "{object": "placeholder", "a}b": "character", "a:b": "character",
	} {
		if _, err := ParsePath(template); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v", template, err)
		}
	}
	if _, err := ParsePath("{part}"); err == nil {
		t.Error("a placeholder is taken that nobody gives a value to")
	}
}

// FuzzPath: no value leaves its folder, and two values never share a path.
func FuzzPath(f *testing.F) {
	f.Add("..", ".")
	f.Add("", "%")
	f.Add("a/b", "a%2Fb")
	f.Add(strings.Repeat("x", 300), strings.Repeat("x", 301))
	p, err := ParsePath("lake/{company_id}/{object}")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		of := func(company string) string {
			return p.Of("invoices", &destination.Record{Origin: destination.Origin{CompanyID: company}}, nil)
		}
		got := of(a)
		if parts := strings.Split(got, "/"); len(parts) != 3 || path.Clean(got) != got || len(parts[1]) > maxName {
			t.Errorf("%q makes %s", a, got)
		}
		if a != b && got == of(b) {
			t.Errorf("%q and %q make %s", a, b, got)
		}
	})
}
