package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	fake "github.com/sluicehq/sluice/internal/fake/hubspot"
	"github.com/sluicehq/sluice/plugins/destination"
)

// What HubSpot answers to the write of a batch, and what it means.
func TestAnswers(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		fail fake.Failure
		kind destination.ResultKind
		code string
		wait time.Duration
	}{
		"ten seconds":        {fake.Failure{Status: 429, Policy: "TEN_SECONDLY_ROLLING"}, destination.Throttled, "TEN_SECONDLY_ROLLING", 10 * time.Second},
		"second":             {fake.Failure{Status: 429, Policy: "SECONDLY"}, destination.Throttled, "SECONDLY", time.Second},
		"day":                {fake.Failure{Status: 429, Policy: "DAILY"}, destination.Throttled, "DAILY", 12 * time.Hour},
		"told":               {fake.Failure{Status: 429, Policy: "DAILY", RetryAfter: "7"}, destination.Throttled, "DAILY", 7 * time.Second},
		"told a date":        {fake.Failure{Status: 429, RetryAfter: "Sun, 01 Mar 2026 12:00:30 GMT"}, destination.Throttled, "http_429", 30 * time.Second},
		"told a year":        {fake.Failure{Status: 429, RetryAfter: "31536000"}, destination.Throttled, "http_429", maxWait},
		"migration":          {fake.Failure{Status: 477, RetryAfter: "3600"}, destination.Throttled, "http_477", time.Hour},
		"migration, untold":  {fake.Failure{Status: 477}, destination.Throttled, "http_477", 10 * time.Minute},
		"unavailable, told":  {fake.Failure{Status: 503, RetryAfter: "5"}, destination.Throttled, "http_503", 5 * time.Second},
		"locked":             {fake.Failure{Status: 423}, destination.Retry, "http_423", 2 * time.Second},
		"server error":       {fake.Failure{Status: 500}, destination.Retry, "http_500", 0},
		"bad gateway":        {fake.Failure{Status: 502}, destination.Retry, "http_502", 0},
		"unavailable":        {fake.Failure{Status: 503}, destination.Retry, "http_503", 0},
		"timeout of a proxy": {fake.Failure{Status: 524}, destination.Retry, "http_524", 0},
		"refused token":      {fake.Failure{Status: 401}, destination.Misconfigured, "http_401", 0},
		"forbidden":          {fake.Failure{Status: 403}, destination.Misconfigured, "http_403", 0},
		"redirect":           {fake.Failure{Status: 307}, destination.Misconfigured, "http_307", 0},
		"too long":           {fake.Failure{Status: 414}, destination.Rejected, "http_414", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, account := open(t, fake.Options{}, nil)
			d.client.now = func() time.Time { return noon }
			test.fail.Path = "batch/create"
			// The properties are made in a batch too; the records come after them.
			write(t, d, companies(1))
			account.SetFaults(fake.Faults{Fail: []fake.Failure{test.fail}})
			b := batch("companies", company("x", 1, `{"name":"X"}`), company("y", 1, `{"name":"Y"}`))
			results := write(t, d, b)
			want(t, results, test.kind)
			for _, r := range results {
				if r.Code != test.code {
					t.Errorf("code %s, want %s", r.Code, test.code)
				}
				if test.wait == 0 && !r.Until.IsZero() || test.wait > 0 && !r.Until.Equal(noon.Add(test.wait)) {
					t.Errorf("until %v, want %v after %v", r.Until, test.wait, noon)
				}
			}
			want(t, write(t, d, b), destination.Delivered)
			if n := len(byKey(t, account, "companies")); n != 3 {
				t.Errorf("%d companies, want 3", n)
			}
		})
	}
}

// Whatever call is the one that is throttled, nothing is lost and nothing more
// is sent.
func TestThrottledAtEveryCall(t *testing.T) {
	for skip := range 7 {
		d, account := open(t, fake.Options{}, nil)
		account.SetFaults(fake.Faults{Fail: []fake.Failure{{Skip: skip, Status: 429, Policy: "TEN_SECONDLY_ROLLING"}}})
		b := companies(3)
		throttled := 0
		for range 3 {
			for _, r := range write(t, d, b) {
				switch r.Kind {
				case destination.Delivered:
				case destination.Throttled:
					throttled++
				default:
					t.Errorf("call %d: %v %s", skip, r.Kind, r.Message)
				}
			}
		}
		// The first call only asks for the time zone: without it UTC counts.
		if want := skip > 0; (throttled > 0) != want {
			t.Errorf("call %d: %d throttled results", skip, throttled)
		}
		if n := len(byKey(t, account, "companies")); n != 3 {
			t.Errorf("call %d: %d companies, want 3", skip, n)
		}
	}
}

func TestDailyLimitEndsInTheAccountsZone(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	// The day on which clocks go forward there.
	now := time.Date(2026, 3, 8, 5, 30, 0, 0, time.UTC)
	if got, want := endOf("DAILY", now, zone), time.Date(2026, 3, 9, 4, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The account's limits, not one failure that was asked for.
func TestLimitsOfTheAccount(t *testing.T) {
	d, account := open(t, fake.Options{RateDaily: 7}, nil)
	var last destination.Result
	for i := range 10 {
		last = write(t, d, batch("companies", company(string(rune('a'+i)), 1, `{"name":"N"}`)))[0]
	}
	if last.Kind != destination.Throttled || last.Code != "DAILY" || !last.Until.After(time.Now()) {
		t.Errorf("%v %s until %v", last.Kind, last.Code, last.Until)
	}
	if n := len(byKey(t, account, "companies")); n != 4 {
		t.Errorf("%d companies within the limit, want 4", n)
	}
}

func TestMissingScopes(t *testing.T) {
	d, account := open(t, fake.Options{}, nil)
	account.SetFaults(fake.Faults{MissingScopes: []string{"crm.objects.companies.write", "crm.schemas.companies.write"}})
	results := write(t, d, companies(2))
	want(t, results, destination.Misconfigured)
	for _, scope := range []string{"crm.objects.companies.write", "crm.schemas.companies.write"} {
		if !strings.Contains(results[0].Message, scope) {
			t.Errorf("%q does not name %s", results[0].Message, scope)
		}
	}
	if results[0].Code != "MISSING_SCOPES" {
		t.Errorf("code %s", results[0].Code)
	}
}

func TestWrongToken(t *testing.T) {
	const wrong = "pat-eu1-wrong-and-secret"
	d, account := open(t, fake.Options{}, map[string]any{"token": wrong})
	results := write(t, d, companies(2))
	want(t, results, destination.Misconfigured)
	err := d.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("check: %v", err)
	}
	// The account's answer has it.
	if text := err.Error() + results[0].Message; strings.Contains(text, wrong) {
		t.Errorf("the token is in %q", text)
	}
	if n := len(account.Calls()); n != 3 {
		t.Errorf("%d calls, want one for each question: a wrong token stays wrong", n)
	}
}

func withOAuth(t *testing.T, refresh string) (*hubspot, *fake.Server) {
	return open(t, fake.Options{ClientID: "app", ClientSecret: "app-secret", RefreshToken: "refresh-secret"},
		map[string]any{"client_id": "app", "client_secret": "app-secret", "refresh_token": refresh})
}

func TestTokenEndsInMidBatch(t *testing.T) {
	d, account := withOAuth(t, "refresh-secret")
	want(t, write(t, d, companies(2)), destination.Delivered)
	account.ExpireTokens()
	want(t, write(t, d, companies(5)), destination.Delivered)
	// One at the start, one after the end of the first.
	if n := calls(account, "/oauth/"); n != 2 {
		t.Errorf("%d tokens were asked for, want 2", n)
	}
	// A call between two others of one write.
	account.SetFaults(fake.Faults{Fail: []fake.Failure{{Path: "batch/upsert", Status: 401}}})
	want(t, write(t, d, batch("companies", update("c000", 2, `{"name":"New"}`, "name"))), destination.Delivered)
	if got := byKey(t, account, "companies")["c000"]["name"]; got != "New" {
		t.Errorf("name %q", got)
	}
}

func TestNewTokenIsRefusedToo(t *testing.T) {
	d, account := withOAuth(t, "refresh-secret")
	want(t, write(t, d, companies(1)), destination.Delivered)
	before := calls(account, "/oauth/")
	account.SetFaults(fake.Faults{Fail: []fake.Failure{{Path: "batch/create", Status: 401}, {Path: "batch/create", Status: 401}}})
	want(t, write(t, d, batch("companies", company("x", 1, `{"name":"X"}`))), destination.Misconfigured)
	if n := calls(account, "/oauth/") - before; n != 1 {
		t.Errorf("%d new tokens, want 1", n)
	}
}

func TestRefreshTokenIsRefused(t *testing.T) {
	d, _ := withOAuth(t, "revoked-secret")
	results := write(t, d, companies(1))
	want(t, results, destination.Misconfigured)
	if r := results[0]; r.Code != codeRefresh || !strings.Contains(r.Message, "install the app again") {
		t.Errorf("%s %s", r.Code, r.Message)
	}
	for _, secret := range []string{"revoked-secret", "app-secret"} {
		if strings.Contains(results[0].Message, secret) {
			t.Errorf("%q has a secret", results[0].Message)
		}
	}
}

func TestTokenEndpointIsDown(t *testing.T) {
	for status, kind := range map[int]destination.ResultKind{503: destination.Retry, 429: destination.Throttled} {
		d, account := withOAuth(t, "refresh-secret")
		// Once for the time zone, once for the properties.
		down := fake.Failure{Path: "/oauth/", Status: status}
		account.SetFaults(fake.Faults{Fail: []fake.Failure{down, down}})
		want(t, write(t, d, companies(1)), kind)
		want(t, write(t, d, companies(1)), destination.Delivered)
	}
}

func TestNoAnswer(t *testing.T) {
	d, account := open(t, fake.Options{}, map[string]any{"base_url": "http://127.0.0.1:1"})
	results := write(t, d, companies(1))
	want(t, results, destination.Retry)
	if results[0].Code != codeNetwork || len(account.Calls()) != 0 {
		t.Errorf("%s, %d calls", results[0].Code, len(account.Calls()))
	}
}

func TestUnknownObject(t *testing.T) {
	d, _ := open(t, fake.Options{}, nil)
	b := companies(1)
	b.Object = "spaceships"
	results := write(t, d, b)
	want(t, results, destination.Misconfigured)
	if !strings.Contains(results[0].Message, "spaceships") || results[0].Code != codeObject {
		t.Errorf("%s %s", results[0].Code, results[0].Message)
	}
}

// HubSpot's words within its message are the code; its values are not.
func TestCode(t *testing.T) {
	for want, body := range map[string]errorBody{
		"PROPERTY_DOESNT_EXIST": {Category: "VALIDATION_ERROR", Message: `Property values were not valid: [{"isValid":false,"error":"PROPERTY_DOESNT_EXIST","name":"x"}]`},
		"VALIDATION_ERROR":      {Category: "VALIDATION_ERROR", Message: `[{"error":"jane@example.com"}]`},
		"DAILY":                 {PolicyName: "DAILY"},
		"http_400":              {Category: "jane@example.com"},
	} {
		if got := codeOf(http.StatusBadRequest, body); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// HubSpot counts over ten seconds: what may go at once counts too.
func TestPaceStaysWithinTheLimit(t *testing.T) {
	for _, perSecond := range []int{1, 10, 19} {
		d, _ := open(t, fake.Options{}, map[string]any{"requests_per_second": perSecond})
		pace := d.client.pace
		if most := float64(pace.Burst()) + 10*float64(pace.Limit()); most > float64(10*perSecond) || most < 9*float64(perSecond) {
			t.Errorf("%d a second: %v in ten seconds", perSecond, most)
		}
	}
}
