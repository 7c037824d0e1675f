package endpoint_test

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/endpoint"
)

func TestRateLimit(t *testing.T) {
	clock := now
	s := &store{}
	h := build(t, s, func(o *endpoint.Options) {
		o.Now = func() time.Time { return clock }
		limited := o.Sources["rootfi"]
		limited.RateLimit = endpoint.RateLimit{PerSecond: 0.5, Burst: 3}
		o.Sources["rootfi"] = limited
		o.Sources["other"] = endpoint.Source{Parse: parse, Anonymous: true}
	}).Handler()
	n := 0
	send := func(source, key string) *httptest.ResponseRecorder {
		n++
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("/webhooks/"+source, []byte(fmt.Sprint(n)), map[string]string{"api_key": key}))
		return w
	}
	expect := func(when, source, key string, status int, after string) {
		t.Helper()
		w := send(source, key)
		if got := w.Header().Get("Retry-After"); w.Code != status || got != after {
			t.Errorf("%s: status %d, Retry-After %q, want %d, %q", when, w.Code, got, status, after)
		}
		if status == 429 {
			checkProblem(t, w.Body.Bytes(), "rate_limited")
		}
	}
	// Whoever has no key uses nothing up.
	for range 5 {
		expect("without the key", "rootfi", "guess", 401, "")
	}
	for range 3 {
		expect("burst", "rootfi", secretKey, 202, "")
	}
	expect("after the burst", "rootfi", secretKey, 429, "2")
	expect("another source", "other", "", 202, "")
	clock = clock.Add(1500 * time.Millisecond)
	// A refused request uses nothing up either, and half a second counts as one.
	for range 5 {
		expect("a little later", "rootfi", secretKey, 429, "1")
	}
	clock = clock.Add(500 * time.Millisecond)
	expect("two seconds later", "rootfi", secretKey, 202, "")
	expect("and at once again", "rootfi", secretKey, 429, "2")
	if got := len(s.stored()); got != 5 {
		t.Errorf("%d events stored, want 5", got)
	}
}

func TestRateLimitDefaults(t *testing.T) {
	for name, tt := range map[string]struct {
		limit endpoint.RateLimit
		burst int // 0: refused
	}{
		"of a second":    {endpoint.RateLimit{PerSecond: 2.5}, 3},
		"at least one":   {endpoint.RateLimit{PerSecond: 0.1}, 1},
		"as said":        {endpoint.RateLimit{PerSecond: 100, Burst: 2}, 2},
		"no rate":        {endpoint.RateLimit{Burst: 2}, 0},
		"negative":       {endpoint.RateLimit{PerSecond: -1}, 0},
		"negative burst": {endpoint.RateLimit{PerSecond: 1, Burst: -1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := &store{}
			e, err := endpoint.New(endpoint.Options{
				Sources: map[string]endpoint.Source{"rootfi": {Parse: parse, Anonymous: true, RateLimit: tt.limit}},
				Append:  s.append, Now: func() time.Time { return now },
			})
			if (err != nil) != (tt.burst == 0) {
				t.Fatalf("err = %v", err)
			}
			if err != nil {
				return
			}
			for i := range tt.burst + 3 {
				e.Handler().ServeHTTP(httptest.NewRecorder(), request("/webhooks/rootfi", []byte(fmt.Sprint(i)), nil))
			}
			if got := len(s.stored()); got != tt.burst {
				t.Errorf("%d accepted at once, want %d", got, tt.burst)
			}
		})
	}
}
