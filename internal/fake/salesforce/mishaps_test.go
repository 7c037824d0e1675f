package salesforce

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// upsert posts two accounts and returns the answer.
func upsert(s *Server, token string) *httptest.ResponseRecorder {
	record := func(key string) string {
		return `{"attributes":{"type":"Account"},"Name":"N","RootFi_Key__c":"` + key + `"}`
	}
	r := httptest.NewRequest(http.MethodPatch, "/services/data/v66.0/composite/sobjects/Account/RootFi_Key__c",
		strings.NewReader(`{"records":[`+record("a")+`,`+record("b")+`]}`))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestMishaps(t *testing.T) {
	for name, want := range map[string]struct {
		status int
		text   string
	}{
		"throttle":    {http.StatusTooManyRequests, "too many requests"},
		"unavailable": {http.StatusServiceUnavailable, "SERVER_UNAVAILABLE"},
		"expire":      {http.StatusUnauthorized, "INVALID_SESSION_ID"},
		"lock":        {http.StatusOK, "UNABLE_TO_LOCK_ROW"},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Mishaps: []string{name}, MishapEvery: 2})
			s.tokens["t"] = -1
			if w := upsert(s, "t"); w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"success":false`) {
				t.Fatalf("without a mishap: %d %s", w.Code, w.Body)
			}
			w := upsert(s, "t")
			if w.Code != want.status || strings.Count(w.Body.String(), want.text) != 1 {
				t.Errorf("%d %s, want %d with %s", w.Code, w.Body, want.status, want.text)
			}
		})
	}
}

func TestRefusedForGood(t *testing.T) {
	s := New(Options{Refuse: []string{"b"}})
	s.tokens["t"] = -1
	for range 2 {
		if w := upsert(s, "t"); strings.Count(w.Body.String(), `"success":true`) != 1 || !strings.Contains(w.Body.String(), "FIELD_CUSTOM_VALIDATION_EXCEPTION") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if list := s.Records("Account"); len(list) != 1 || list[0]["RootFi_Key__c"] != "a" {
		t.Errorf("holds %v", list)
	}
}
