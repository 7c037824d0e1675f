package hubspot

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const token = "pat-test"

func post(t *testing.T, s *Server, path, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

// The account refuses what HubSpot refuses, with the words that clients look for.
func TestRefusals(t *testing.T) {
	many := "[" + strings.TrimSuffix(strings.Repeat(`{"properties":{"name":"N"}},`, 101), ",") + "]"
	for name, test := range map[string]struct {
		path, body string
		status     int
		want       string
	}{
		"too many":             {"companies/batch/create", `{"inputs":` + many + `}`, 400, "maximum number of inputs"},
		"twice":                {"contacts/batch/upsert", `{"inputs":[{"id":"a@b.c","idProperty":"email","properties":{}},{"id":"a@b.c","idProperty":"email","properties":{}}]}`, 400, "Duplicate IDs found in batch input: [a@b.c]. IDs must be unique"},
		"unknown property":     {"companies/batch/create", `{"inputs":[{"properties":{"name":"N","x":"1"}}]}`, 400, "PROPERTY_DOESNT_EXIST"},
		"with trace ids":       {"companies/batch/create", `{"inputs":[{"objectWriteTraceId":"t0","properties":{"name":"N","x":"1"}},{"objectWriteTraceId":"t1","properties":{"name":"N"}}]}`, 207, `"objectWriteTraceId":["t0"]`},
		"one without trace id": {"companies/batch/create", `{"inputs":[{"objectWriteTraceId":"t0","properties":{"name":"N","x":"1"}},{"properties":{"name":"N"}}]}`, 400, "PROPERTY_DOESNT_EXIST"},
		"not unique":           {"companies/batch/upsert", `{"inputs":[{"id":"N","idProperty":"name","properties":{}}]}`, 400, "unique property"},
		"required":             {"deals/batch/create", `{"inputs":[{"properties":{"dealname":"D"}}]}`, 400, "required properties"},
		"not a number":         {"deals/batch/create", `{"inputs":[{"properties":{"dealname":"D","dealstage":"closedwon","pipeline":"default","amount":"1e3"}}]}`, 400, "INVALID_DOUBLE"},
		"no option":            {"deals/batch/create", `{"inputs":[{"properties":{"dealname":"D","dealstage":"lost?","pipeline":"default"}}]}`, 400, "INVALID_OPTION"},
		"read-only":            {"companies/batch/create", `{"inputs":[{"properties":{"name":"N","hs_object_id":"1"}}]}`, 400, "READ_ONLY_VALUE"},
		"a number as JSON":     {"deals/batch/create", `{"inputs":[{"properties":{"amount":12}}]}`, 400, "Invalid input JSON"},
		"unknown object":       {"spaceships/batch/create", `{"inputs":[]}`, 400, "Unable to infer object type"},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{Token: token})
			status, body := post(t, s, "/crm/objects/2026-09/"+test.path, test.body)
			if status != test.status || !strings.Contains(strings.ReplaceAll(body, `\"`, `"`), test.want) {
				t.Errorf("%d %s, want %d with %s", status, body, test.status, test.want)
			}
			if status == 400 && len(s.Records("companies"))+len(s.Records("deals"))+len(s.Records("contacts")) != 0 {
				t.Error("a refused batch wrote something")
			}
		})
	}
}

func TestPathsOfBothVersions(t *testing.T) {
	s := New(Options{Token: token})
	for _, path := range []string{"/crm/v3/objects/companies/batch/create", "/crm/objects/2026-09/companies/batch/create"} {
		if status, body := post(t, s, path, `{"inputs":[{"properties":{"name":"N"}}]}`); status != http.StatusCreated {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if n := len(s.Records("companies")); n != 2 {
		t.Errorf("%d companies, want 2", n)
	}
}

// Who goes by position must fail.
func TestResultsAreShuffled(t *testing.T) {
	s := New(Options{Token: token})
	var inputs []string
	for _, trace := range strings.Split("abcdefghijklmnopqrst", "") {
		inputs = append(inputs, `{"objectWriteTraceId":"`+trace+`","properties":{"name":"N"}}`)
	}
	_, body := post(t, s, "/crm/objects/2026-09/companies/batch/create", `{"inputs":[`+strings.Join(inputs, ",")+`]}`)
	var order []string
	for _, part := range strings.Split(body, `"objectWriteTraceId":"`)[1:] {
		order = append(order, part[:1])
	}
	if len(order) != len(inputs) || slices.IsSorted(order) {
		t.Errorf("order %v", order)
	}
}

func TestShow(t *testing.T) {
	s := New(Options{Token: token})
	post(t, s, "/crm/objects/2026-09/companies/batch/create", `{"inputs":[{"properties":{"name":"Acme"}}]}`)
	for path, want := range map[string]string{"records/companies": `"name":"Acme"`, "associations": `[]`, "calls": `"inputs":1`, "secrets": "there are"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/sandbox/"+path, nil))
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s, want %s", path, w.Body, want)
		}
	}
}
