package hubspot

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// create posts records and returns the answer.
func create(s *Server, bearer string, names ...string) *httptest.ResponseRecorder {
	var inputs []string
	for i, name := range names {
		inputs = append(inputs, fmt.Sprintf(`{"objectWriteTraceId":"t%d","properties":{"name":%q}}`, i, name))
	}
	r := httptest.NewRequest(http.MethodPost, "/crm/objects/2026-09/companies/batch/create", strings.NewReader(`{"inputs":[`+strings.Join(inputs, ",")+`]}`))
	r.Header.Set("Authorization", "Bearer "+bearer)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestMishaps(t *testing.T) {
	for name, want := range map[string]struct {
		status  int
		header  string // Retry-After
		written int
	}{
		"throttle":    {http.StatusTooManyRequests, "1", 0},
		"limit":       {http.StatusTooManyRequests, "", 0},
		"unavailable": {http.StatusBadGateway, "", 0},
		"silent":      {http.StatusCreated, "", 1},
		"whole-batch": {http.StatusBadRequest, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Token: token, Mishaps: []string{name}, MishapEvery: 2})
			create(s, token, "before")
			w := create(s, token, "a", "b")
			written := len(s.Records("companies")) - 1
			if w.Code != want.status || w.Header().Get("Retry-After") != want.header || written != want.written {
				t.Errorf("%d, Retry-After %q, %d written; want %+v", w.Code, w.Header().Get("Retry-After"), written, want)
			}
			if w := create(s, token, "after"); w.Code != http.StatusCreated {
				t.Errorf("the call after it: %d %s", w.Code, w.Body)
			}
		})
	}
	t.Run("expire", func(t *testing.T) {
		s := New(Options{ClientID: "c", ClientSecret: "s", RefreshToken: "r", Mishaps: []string{"expire"}, MishapEvery: 2})
		r := httptest.NewRequest(http.MethodPost, "/oauth/v1/token", strings.NewReader("grant_type=refresh_token&client_id=c&client_secret=s&refresh_token=r"))
		s.ServeHTTP(httptest.NewRecorder(), r)
		var codes []int
		for range 2 {
			codes = append(codes, create(s, "access-501", "a").Code)
		}
		if codes[0] != http.StatusCreated || codes[1] != http.StatusUnauthorized {
			t.Errorf("answered %v", codes)
		}
	})
}

func TestRefusedForGood(t *testing.T) {
	s := New(Options{Token: token, Refuse: []string{"bad"}})
	for range 2 {
		w := create(s, token, "good", "bad")
		if w.Code != http.StatusMultiStatus || !strings.Contains(w.Body.String(), `"objectWriteTraceId":["t1"]`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	for _, r := range s.Records("companies") {
		if r["name"] != "good" {
			t.Errorf("holds %v", r)
		}
	}
}
