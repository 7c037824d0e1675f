package documents_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination/conformance/documents"
)

func TestDocuments(t *testing.T) {
	server := httptest.NewServer(documents.New("t0ken"))
	t.Cleanup(server.Close)
	call := func(method, path, body string, header ...string) (int, string, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer t0ken")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, strings.TrimSpace(string(text)), resp.Header.Get("ETag")
	}
	want := func(got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	status, _, _ := call("GET", "/a/1", "", "Authorization", "Bearer wrong")
	want(status, 401)
	status, _, _ = call("GET", "/a/1", "")
	want(status, 404)
	status, _, etag := call("PUT", "/a/1", `{"n":1}`, "If-None-Match", "*")
	want(status, 204)
	status, _, _ = call("PUT", "/a/1", `{"n":2}`, "If-None-Match", "*")
	want(status, 412)
	status, _, next := call("PUT", "/a/1", `{"n":3}`, "If-Match", etag)
	want(status, 204)
	status, _, _ = call("PUT", "/a/1", `{"n":4}`, "If-Match", etag)
	want(status, 412)
	status, _, _ = call("PUT", "/a/2", `{`)
	want(status, 400)
	status, _, _ = call("PUT", "/b/1", `{"n":5}`)
	want(status, 204)
	if status, text, etag := call("GET", "/a/1", ""); status != 200 || text != `{"n":3}` || etag != next {
		t.Errorf("%d %s %s", status, text, etag)
	}
	if _, text, _ := call("GET", "/a/", ""); text != `[{"n":3}]` {
		t.Errorf("listed %s", text)
	}
	if _, text, _ := call("GET", "/none/", ""); text != `[]` {
		t.Errorf("listed %s", text)
	}

	status, _, _ = call("POST", "/-/fault/throttle?retry_after=7", "")
	want(status, 200)
	status, _, _ = call("GET", "/a/1", "")
	want(status, 429)
	status, _, _ = call("POST", "/-/fault/outage", "")
	want(status, 200)
	status, _, _ = call("GET", "/a/1", "")
	want(status, 500)
	status, _, _ = call("POST", "/-/fault/none", "")
	want(status, 200)
	status, _, _ = call("GET", "/a/1", "")
	want(status, 200)
	status, _, _ = call("POST", "/-/fault/token_expiry", "")
	want(status, 404)
}
