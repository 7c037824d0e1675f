package s3

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var options = Options{Bucket: "lake", Region: "eu-central-1", AccessKeyID: "AKID", SecretAccessKey: "secret"}

// request is signed over its body, as a client does it for a small object.
func request(t *testing.T, o Options, method, url, body string, change func(*http.Request)) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Host = r.URL.Host
	at := time.Now().UTC()
	r.Header.Set("X-Amz-Date", at.Format("20060102T150405Z"))
	r.Header.Set("X-Amz-Content-Sha256", hash([]byte(body)))
	headers := []string{"host", "x-amz-content-sha256", "x-amz-date"}
	sig := signature{date: at.Format("20060102"), region: o.Region}
	key := New(o).signingKey(sig)
	scope := sig.date + "/" + o.Region + "/s3/aws4_request"
	value := sign(key, strings.Join([]string{
		algorithm, r.Header.Get("X-Amz-Date"), scope, hash([]byte(canonicalRequest(r, headers, hash([]byte(body))))),
	}, "\n"))
	r.Header.Set("Authorization", algorithm+" Credential="+o.AccessKeyID+"/"+scope+", SignedHeaders="+strings.Join(headers, ";")+", Signature="+value)
	if change != nil {
		change(r)
	}
	return r
}

func TestRefused(t *testing.T) {
	store := New(options)
	h := httptest.NewServer(store)
	defer h.Close()
	other, abroad := options, options
	other.AccessKeyID, abroad.Region = "OTHER", "us-east-1"
	wrong := options
	wrong.SecretAccessKey = "guess"
	for code, r := range map[string]*http.Request{
		"AccessDenied":                 request(t, options, "PUT", h.URL+"/lake/a", "x", func(r *http.Request) { r.Header.Del("Authorization") }),
		"InvalidAccessKeyId":           request(t, other, "PUT", h.URL+"/lake/a", "x", nil),
		"SignatureDoesNotMatch":        request(t, wrong, "PUT", h.URL+"/lake/a", "x", nil),
		"AuthorizationHeaderMalformed": request(t, abroad, "PUT", h.URL+"/lake/a", "x", nil),
		"NoSuchBucket":                 request(t, options, "PUT", h.URL+"/sea/a", "x", nil),
		"NoSuchKey":                    request(t, options, "GET", h.URL+"/lake/a", "", nil),
		"NoSuchUpload":                 request(t, options, "PUT", h.URL+"/lake/a?partNumber=1&uploadId=u", "x", nil),
		"XAmzContentSHA256Mismatch": request(t, options, "PUT", h.URL+"/lake/a", "x", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader("y"))
		}),
		"BadDigest": request(t, options, "PUT", h.URL+"/lake/a", "x", func(r *http.Request) { r.Header.Set("Content-MD5", "AAAA") }),
	} {
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Code string }
		if err := xml.NewDecoder(resp.Body).Decode(&e); err != nil || e.Code != code {
			t.Errorf("%d %s, want %s; %v", resp.StatusCode, e.Code, code, err)
		}
		_ = resp.Body.Close()
	}
	if n := len(store.Objects()); n != 0 {
		t.Errorf("%d objects", n)
	}
}

func TestObjects(t *testing.T) {
	store := New(options)
	h := httptest.NewServer(store)
	defer h.Close()
	for _, step := range []struct {
		method, body, want string
	}{{"PUT", "one", ""}, {"PUT", "two", ""}, {"GET", "", "two"}, {"DELETE", "", ""}} {
		resp, err := http.DefaultClient.Do(request(t, options, step.method, h.URL+"/lake/a%20b/c", step.body, nil))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode > 299 || string(got) != step.want {
			t.Errorf("%s: %d %q, %v", step.method, resp.StatusCode, got, err)
		}
		_ = resp.Body.Close()
		if o := store.Objects()["a b/c"]; step.method == "GET" && o.Writes != 2 {
			t.Errorf("%d writes", o.Writes)
		}
	}
	if n := len(store.Objects()); n != 0 {
		t.Errorf("%d objects", n)
	}
}
