package salesforce

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// org is a client that checks nothing.
type org struct {
	*Server
	token string
}

func newOrg(t *testing.T) *org {
	t.Helper()
	o := &org{Server: New(Options{})}
	r := httptest.NewRequest("POST", "/services/oauth2/token", strings.NewReader("grant_type=client_credentials&client_id=client&client_secret=secret"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Token == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	o.token = body.Token
	return o
}

func (o *org) call(method, path, body string) (int, string, http.Header) {
	r := httptest.NewRequest(method, "/services/data/v66.0/"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+o.token)
	w := httptest.NewRecorder()
	o.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func TestStrictness(t *testing.T) {
	const accounts = "composite/sobjects/Account/RootFi_Key__c"
	record := func(fields string) string {
		return `{"allOrNone":false,"records":[{"attributes":{"type":"Account"},"RootFi_Key__c":"a"` + fields + `}]}`
	}
	for name, tt := range map[string]struct {
		path, body string
		status     int
		want       string
	}{
		"unknown object":   {"composite/sobjects/Lead/X__c", record(""), 404, "NOT_FOUND"},
		"no external id":   {"composite/sobjects/Account/Phone", record(""), 404, "NOT_FOUND"},
		"unknown field":    {accounts, record(`,"Name":"n","X__c":1`), 200, "No such column 'X__c'"},
		"missing field":    {accounts, record(""), 200, "REQUIRED_FIELD_MISSING"},
		"wrong type":       {accounts, record(`,"Name":1`), 400, "JSON_PARSER_ERROR"},
		"too long":         {accounts, record(`,"Name":"n","Phone":"` + strings.Repeat("1", 41) + `"`), 200, "STRING_TOO_LONG"},
		"too many digits":  {accounts, record(`,"Name":"n","RootFi_Version__c":1234567890123456789`), 200, "NUMBER_OUTSIDE_VALID_RANGE"},
		"with an id":       {accounts, record(`,"Name":"n","Id":"001"`), 400, "no Id"},
		"an attribute off": {accounts, strings.Replace(record(`,"Name":"n"`), `"Account"`, `"Contact"`, 1), 400, "attributes.type"},
		"too many records": {accounts, `{"records":[` + strings.Repeat(`{},`, 200) + `{}]}`, 400, "EXCEEDED_MAX_SIZE_REQUEST"},
		"good":             {accounts, record(`,"Name":"n"`), 200, `"created":true`},
	} {
		o := newOrg(t)
		status, body, header := o.call("PATCH", tt.path, tt.body)
		if status != tt.status || !strings.Contains(body, tt.want) || header.Get("Sforce-Limit-Info") == "" {
			t.Errorf("%s: %d %s", name, status, body)
		}
		if n := len(o.Records("Account")); (n == 1) != (name == "good") {
			t.Errorf("%s: %d records", name, n)
		}
	}
	o := newOrg(t)
	o.ExpireTokens(0)
	if status, body, _ := o.call("GET", "limits", ""); status != 401 || !strings.Contains(body, "INVALID_SESSION_ID") {
		t.Errorf("%d %s", status, body)
	}
}

func TestQueriesAndDeletes(t *testing.T) {
	o := newOrg(t)
	if status, body, _ := o.call("PATCH", "composite/sobjects/Account/RootFi_Key__c",
		`{"records":[{"attributes":{"type":"Account"},"Name":"n","RootFi_Key__c":"it's"}]}`); status != 200 {
		t.Fatal(body)
	}
	ask := func(where string) (int, string) {
		status, body, _ := o.call("GET", "query?q="+url.QueryEscape("SELECT Id, RootFi_Key__c FROM Account WHERE RootFi_Key__c IN ("+where+")"), "")
		return status, body
	}
	id := o.Records("Account")[0]["Id"]
	if status, body := ask(`'other','it\'s'`); status != 200 || !strings.Contains(body, id) {
		t.Errorf("%d %s", status, body)
	}
	for _, where := range []string{`'it's'`, `it`, ``, `'a',`, `'a\q'`} {
		if status, body := ask(where); status != 400 {
			t.Errorf("%s: %d %s", where, status, body)
		}
	}
	for _, want := range []string{`"success":true`, "ENTITY_IS_DELETED"} {
		if _, body, _ := o.call("DELETE", "composite/sobjects?ids="+id+"&allOrNone=false", ""); !strings.Contains(body, want) {
			t.Errorf("%s, want %s", body, want)
		}
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	o := newOrg(t)
	r := httptest.NewRequest("POST", "/_fake/faults", strings.NewReader(`{"path":"limits","status":503,"code":"SERVER_UNAVAILABLE"}`))
	w := httptest.NewRecorder()
	if o.ServeHTTP(w, r); w.Code != http.StatusNoContent {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, want := range []int{503, 200} {
		if status, body, _ := o.call("GET", "limits", ""); status != want {
			t.Errorf("%d %s, want %d", status, body, want)
		}
	}
}
