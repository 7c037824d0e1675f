package endpoint_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/endpoint"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/leaktest"
	"github.com/sluicehq/sluice/internal/ledger"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const secretKey = "k3y-of-the-source"

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// parse is a payload format of the simplest sort.
func parse(source string, body []byte, received time.Time) (event.Event, error) {
	if !json.Valid(body) {
		return event.Event{}, errors.New("syntax error at byte 1")
	}
	sum := sha256.Sum256(body)
	return event.Event{Source: source, ID: hex.EncodeToString(sum[:4]), Kind: event.KindUnknown, ReceivedAt: received, Body: body}, nil
}

// store is a ledger in memory.
type store struct {
	mu     sync.Mutex
	events []event.Event
	err    error
	wait   chan struct{} // closed: appends go on
	began  chan struct{} // one value per append that began
}

func (s *store) append(ctx context.Context, ev event.Event) (ledger.Appended, error) {
	if s.began != nil {
		s.began <- struct{}{}
	}
	if s.wait != nil {
		select {
		case <-s.wait:
		case <-ctx.Done():
			return ledger.Appended{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return ledger.Appended{}, s.err
	}
	for i, old := range s.events {
		if old.Source == ev.Source && old.ID == ev.ID {
			return ledger.Appended{Seq: int64(i + 1), EventID: ev.ID, Duplicate: true}, nil
		}
	}
	s.events = append(s.events, ev)
	return ledger.Appended{Seq: int64(len(s.events)), EventID: ev.ID}, nil
}

func (s *store) stored() []event.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func keyed(t testing.TB) []endpoint.Authenticator {
	return []endpoint.Authenticator{must[endpoint.Authenticator](t)(endpoint.Header(endpoint.HeaderAuth{Name: "api_key", Value: secretKey}))}
}

// build makes an endpoint with the source rootfi, authenticated by secretKey.
func build(t testing.TB, s *store, change func(*endpoint.Options)) *endpoint.Endpoint {
	t.Helper()
	o := endpoint.Options{
		Sources: map[string]endpoint.Source{"rootfi": {Authenticate: keyed(t), Parse: parse}},
		Append:  s.append,
		Now:     func() time.Time { return now },
	}
	if change != nil {
		change(&o)
	}
	return must[*endpoint.Endpoint](t)(endpoint.New(o))
}

func zip(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// request is a POST with the right key; headers with the value "" are left out.
func request(path string, body []byte, headers map[string]string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("api_key", secretKey)
	for name, value := range headers {
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	return r
}

func TestAnswers(t *testing.T) {
	small := []byte(`{"a":1}`)
	large := []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
	for name, tt := range map[string]struct {
		method  string // default POST
		path    string // default /webhooks/rootfi
		headers map[string]string
		body    []byte
		chunked bool
		maxBody int64
		err     error // of the ledger
		status  int
		code    string
		want    map[string]string // answer headers
	}{
		"accepted":                       {body: small, status: 202},
		"without content type":           {body: small, headers: map[string]string{"Content-Type": ""}, status: 202},
		"charset":                        {body: small, headers: map[string]string{"Content-Type": `Application/JSON; charset="UTF-8"`}, status: 202},
		"a JSON dialect":                 {body: small, headers: map[string]string{"Content-Type": "application/cloudevents+json"}, status: 202},
		"gzip":                           {body: zip(t, small), headers: map[string]string{"Content-Encoding": "GZIP"}, status: 202},
		"large gzip":                     {body: zip(t, large), headers: map[string]string{"Content-Encoding": "gzip"}, status: 202},
		"identity":                       {body: small, headers: map[string]string{"Content-Encoding": "identity"}, status: 202},
		"chunked":                        {body: small, chunked: true, status: 202},
		"large":                          {body: large, status: 202},
		"large and chunked":              {body: large, chunked: true, status: 202},
		"as large as allowed":            {body: large, maxBody: int64(len(large)), status: 202},
		"as large as allowed, chunked":   {body: large, chunked: true, maxBody: int64(len(large)), status: 202},
		"as large as allowed, gzip":      {body: zip(t, large), headers: map[string]string{"Content-Encoding": "gzip"}, maxBody: int64(len(large)), status: 202},
		"GET":                            {method: "GET", status: 405, code: "method_not_allowed", want: map[string]string{"Allow": "POST"}},
		"OPTIONS":                        {method: "OPTIONS", status: 405, code: "method_not_allowed", want: map[string]string{"Allow": "POST"}},
		"PUT":                            {method: "PUT", body: small, status: 405, code: "method_not_allowed", want: map[string]string{"Allow": "POST"}},
		"unknown source":                 {path: "/webhooks/codat", body: small, status: 404, code: "unknown_source"},
		"source in another case":         {path: "/webhooks/Rootfi", body: small, status: 404, code: "unknown_source"},
		"trailing slash":                 {path: "/webhooks/rootfi/", body: small, status: 404, code: "not_found"},
		"no source":                      {path: "/webhooks/", body: small, status: 404, code: "not_found"},
		"another path":                   {path: "/", body: small, status: 404, code: "not_found"},
		"path traversal":                 {path: "/webhooks/../webhooks/rootfi", body: small, status: 404, code: "not_found"},
		"one byte too large":             {body: large, maxBody: int64(len(large)) - 1, status: 413, code: "body_too_large", want: map[string]string{"Connection": "close"}},
		"one byte too large, chunked":    {body: large, chunked: true, maxBody: int64(len(large)) - 1, status: 413, code: "body_too_large"},
		"one byte too large, inflated":   {body: zip(t, large), headers: map[string]string{"Content-Encoding": "gzip"}, maxBody: int64(len(large)) - 1, status: 413, code: "body_too_large"},
		"too large for a small limit":    {body: []byte(`[1,2,3]`), chunked: true, maxBody: 6, status: 413, code: "body_too_large"},
		"form":                           {body: small, headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, status: 415, code: "unsupported_content_type"},
		"text":                           {body: small, headers: map[string]string{"Content-Type": "text/json"}, status: 415, code: "unsupported_content_type"},
		"another charset":                {body: small, headers: map[string]string{"Content-Type": "application/json; charset=latin1"}, status: 415, code: "unsupported_content_type"},
		"broken content type":            {body: small, headers: map[string]string{"Content-Type": "application/json; ="}, status: 415, code: "unsupported_content_type"},
		"brotli":                         {body: small, headers: map[string]string{"Content-Encoding": "br"}, status: 415, code: "unsupported_content_encoding", want: map[string]string{"Accept-Encoding": "gzip, identity"}},
		"gzip twice":                     {body: small, headers: map[string]string{"Content-Encoding": "gzip, gzip"}, status: 415, code: "unsupported_content_encoding"},
		"no key":                         {body: small, headers: map[string]string{"api_key": ""}, status: 401, code: "unauthenticated"},
		"wrong key":                      {body: small, headers: map[string]string{"api_key": "guess"}, status: 401, code: "unauthenticated"},
		"type before key":                {body: small, headers: map[string]string{"api_key": "", "Content-Type": "text/plain"}, status: 415, code: "unsupported_content_type"},
		"size before type":               {body: large, maxBody: 10, headers: map[string]string{"api_key": "", "Content-Type": "text/plain"}, status: 413, code: "body_too_large"},
		"key before JSON":                {body: []byte("x"), headers: map[string]string{"api_key": "guess"}, status: 401, code: "unauthenticated"},
		"not JSON":                       {body: []byte("a=4111111111111111"), status: 400, code: "not_json"},
		"empty":                          {status: 400, code: "not_json"},
		"not gzip":                       {body: small, headers: map[string]string{"Content-Encoding": "gzip"}, status: 400, code: "corrupt_body"},
		"empty gzip":                     {headers: map[string]string{"Content-Encoding": "gzip"}, status: 400, code: "corrupt_body"},
		"gzip cut short":                 {body: zip(t, large)[:700], headers: map[string]string{"Content-Encoding": "gzip"}, status: 400, code: "corrupt_body"},
		"gzip with a wrong checksum":     {body: append(zip(t, small)[:len(zip(t, small))-8], 1, 2, 3, 4, 7, 0, 0, 0), headers: map[string]string{"Content-Encoding": "gzip"}, status: 400, code: "corrupt_body"},
		"gzip with something behind":     {body: append(zip(t, small), "garbage!!!!"...), headers: map[string]string{"Content-Encoding": "gzip"}, status: 400, code: "corrupt_body"},
		"the ledger is away":             {body: small, err: errors.New("disk I/O error 4711"), status: 503, code: "not_stored", want: map[string]string{"Retry-After": "5"}},
		"the ledger is full":             {body: small, err: fmt.Errorf("append: %w", ledger.ErrFull), status: 503, code: "storage_full", want: map[string]string{"Retry-After": "60"}},
		"the ledger gave up waiting":     {body: small, err: context.DeadlineExceeded, status: 503, code: "not_stored", want: map[string]string{"Retry-After": "5"}},
		"a header with the wrong length": {body: small, headers: map[string]string{"api_key": secretKey + "\x00"}, status: 401, code: "unauthenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &store{err: tt.err}
			registry := prometheus.NewPedanticRegistry()
			h := build(t, s, func(o *endpoint.Options) { o.MaxBody, o.Metrics = tt.maxBody, registry }).Handler()
			path := tt.path
			if path == "" {
				path = "/webhooks/rootfi"
			}
			r := request(path, tt.body, tt.headers)
			if tt.method != "" {
				r.Method = tt.method
			}
			if tt.chunked {
				r.ContentLength = -1
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)

			if w.Code != tt.status {
				t.Fatalf("status %d, want %d: %s", w.Code, tt.status, w.Body)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("content type %q", got)
			}
			for header, want := range tt.want {
				if got := w.Header().Get(header); got != want {
					t.Errorf("header %s: %q, want %q", header, got, want)
				}
			}
			if tt.code != "" {
				checkProblem(t, w.Body.Bytes(), tt.code)
				if n := len(s.stored()); n != 0 {
					t.Errorf("%d events stored", n)
				}
				if !rejected(t, registry, "rootfi", tt.code) && !rejected(t, registry, "unknown", tt.code) {
					t.Errorf("the rejection is not counted: %v", gather(t, registry))
				}
				return
			}
			stored := s.stored()
			if len(stored) != 1 {
				t.Fatalf("%d events stored", len(stored))
			}
			var got struct {
				EventID   string `json:"event_id"`
				Duplicate *bool
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.EventID != stored[0].ID || got.Duplicate == nil || *got.Duplicate {
				t.Errorf("answer %s, %v", w.Body, err)
			}
			if stored[0].Source != "rootfi" || !stored[0].ReceivedAt.Equal(now) {
				t.Errorf("stored %+v", stored[0])
			}
			if want := tt.body; tt.headers["Content-Encoding"] == "" && !bytes.Equal(stored[0].Body, want) {
				t.Error("the body was not kept byte for byte")
			}
			if strings.EqualFold(tt.headers["Content-Encoding"], "gzip") && !json.Valid(stored[0].Body) {
				t.Error("the body was not kept decompressed")
			}
		})
	}
}

func checkProblem(t *testing.T, body []byte, code string) {
	t.Helper()
	var got struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(body, &got); err != nil || got.Error.Code != code || got.Error.Message == "" {
		t.Errorf("answer %s, want code %s (%v)", body, code, err)
	}
	if s := string(body); strings.Contains(s, secretKey) || strings.Contains(s, "41111111") || strings.Contains(s, "4711") {
		t.Errorf("the answer tells too much: %s", s)
	}
}

func rejected(t testing.TB, g prometheus.Gatherer, source, reason string) bool {
	return slices.Contains(gather(t, g), fmt.Sprintf("sluice_requests_rejected_total{reason=%s,source=%s} 1", reason, source))
}

func TestDuplicateIsAcknowledgedWith200(t *testing.T) {
	s := &store{}
	h := build(t, s, nil).Handler()
	var answers []string
	for _, status := range []int{202, 200, 200} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("/webhooks/rootfi", []byte(`{"a":1}`), nil))
		if w.Code != status {
			t.Errorf("status %d, want %d", w.Code, status)
		}
		answers = append(answers, w.Body.String())
	}
	if want := strings.Replace(answers[0], "false", "true", 1); answers[1] != want || answers[2] != want {
		t.Errorf("answers %q", answers)
	}
	if len(s.stored()) != 1 {
		t.Error("stored more than once")
	}
}

func TestNewRefuses(t *testing.T) {
	valid := endpoint.Source{Authenticate: keyed(t), Parse: parse}
	s := &store{}
	for name, change := range map[string]func(*endpoint.Options){
		"no ledger":               func(o *endpoint.Options) { o.Append = nil },
		"a negative limit":        func(o *endpoint.Options) { o.MaxBody = -1 },
		"a source without a name": func(o *endpoint.Options) { o.Sources[""] = valid },
		"a source with a slash":   func(o *endpoint.Options) { o.Sources["a/b"] = valid },
		"no parser":               func(o *endpoint.Options) { o.Sources["a"] = endpoint.Source{Anonymous: true} },
		"no authentication":       func(o *endpoint.Options) { o.Sources["a"] = endpoint.Source{Parse: parse} },
		"both":                    func(o *endpoint.Options) { v := valid; v.Anonymous = true; o.Sources["a"] = v },
		"a nil authenticator": func(o *endpoint.Options) {
			o.Sources["a"] = endpoint.Source{Parse: parse, Authenticate: []endpoint.Authenticator{nil}}
		},
		"metrics of another shape": func(o *endpoint.Options) {
			r := prometheus.NewRegistry()
			r.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_events_duplicate_total"}))
			o.Metrics = r
		},
	} {
		o := endpoint.Options{Append: s.append, Sources: map[string]endpoint.Source{"rootfi": valid}}
		o.Sources = maps.Clone(o.Sources)
		change(&o)
		if _, err := endpoint.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
