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
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/internal/endpoint"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	if s := string(body); strings.Contains(s, secretKey) || strings.Contains(s, "4111") || strings.Contains(s, "4711") {
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

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s := &store{}
	e := build(t, s, func(o *endpoint.Options) { o.Metrics = registry })
	// A reloaded configuration builds the endpoint again, over the same metrics.
	again := build(t, s, func(o *endpoint.Options) { o.Metrics = registry })
	for i, h := range []http.Handler{e.Handler(), again.Handler(), again.Handler()} {
		h.ServeHTTP(httptest.NewRecorder(), request("/webhooks/rootfi", []byte(fmt.Sprint(i%2)), nil))
	}
	again.Handler().ServeHTTP(httptest.NewRecorder(), request("/webhooks/made-up", nil, nil))
	again.Handler().ServeHTTP(httptest.NewRecorder(), request("/webhooks/rootfi", nil, map[string]string{"api_key": "x"}))
	want := []string{
		"sluice_accept_seconds{source=rootfi} 3",
		"sluice_events_accepted_total{kind=connection_changed,source=rootfi} 0",
		"sluice_events_accepted_total{kind=data_model_changes,source=rootfi} 0",
		"sluice_events_accepted_total{kind=integration,source=rootfi} 0",
		"sluice_events_accepted_total{kind=sync_completed,source=rootfi} 0",
		"sluice_events_accepted_total{kind=sync_started,source=rootfi} 0",
		"sluice_events_accepted_total{kind=unknown,source=rootfi} 2",
		"sluice_events_duplicate_total{source=rootfi} 1",
		"sluice_requests_rejected_total{reason=unauthenticated,source=rootfi} 1",
		"sluice_requests_rejected_total{reason=unknown_source,source=unknown} 1",
	}
	if got := gather(t, registry); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// gather lists all series, histograms by their count.
func gather(t testing.TB, g prometheus.Gatherer) []string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetName()+"="+label.GetValue())
			}
			value := metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			out = append(out, fmt.Sprintf("%s{%s} %v", family.GetName(), strings.Join(labels, ","), value))
		}
	}
	return out
}

// serve posts a webhook in the background and returns its status when done.
func serve(h http.Handler, path string, body []byte) <-chan int {
	done := make(chan int, 1)
	go func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(path, body, nil))
		done <- w.Code
	}()
	return done
}

func TestTooManyRequestsAreTurnedAway(t *testing.T) {
	s := &store{wait: make(chan struct{}), began: make(chan struct{}, 8)}
	h := build(t, s, func(o *endpoint.Options) {
		o.MaxInFlight = 4
		o.Sources["other"] = endpoint.Source{Parse: parse, Anonymous: true}
	}).Handler()
	var pending []<-chan int
	send := func(source, body string) {
		pending = append(pending, serve(h, "/webhooks/"+source, []byte(body)))
		<-s.began
	}
	for _, body := range []string{"1", "2", "3"} {
		send("rootfi", body)
	}
	refused := func(source string, status int, code string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("/webhooks/"+source, []byte("4"), nil))
		if w.Code != status || w.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: status %d, Retry-After %q", source, w.Code, w.Header().Get("Retry-After"))
		}
		checkProblem(t, w.Body.Bytes(), code)
	}
	refused("rootfi", 429, "source_overloaded")
	send("other", "5")
	refused("other", 503, "overloaded")

	// Without credentials there is no waiting in line at all.
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request("/webhooks/rootfi", []byte("4"), map[string]string{"api_key": "guess"}))
	if w.Code != 401 {
		t.Errorf("status %d, want 401", w.Code)
	}

	close(s.wait)
	for _, status := range pending {
		if got := <-status; got != 202 {
			t.Errorf("status %d", got)
		}
	}
	if got := <-serve(h, "/webhooks/rootfi", []byte("6")); got != 202 {
		t.Errorf("after the flood: status %d", got)
	}
}

func TestMemoryForLargeBodiesIsBounded(t *testing.T) {
	s := &store{wait: make(chan struct{}), began: make(chan struct{}, 4)}
	h := build(t, s, func(o *endpoint.Options) { o.MaxBuffered = 3 << 20 }).Handler()
	large := []byte(`"` + strings.Repeat("x", 2<<20) + `"`)
	first := serve(h, "/webhooks/rootfi", large)
	<-s.began
	if got := <-serve(h, "/webhooks/rootfi", large); got != 503 {
		t.Errorf("second large body: status %d, want 503", got)
	}
	small := serve(h, "/webhooks/rootfi", []byte("1"))
	<-s.began
	close(s.wait)
	if a, b := <-first, <-small; a != 202 || b != 202 {
		t.Errorf("statuses %d, %d", a, b)
	}
	if got := <-serve(h, "/webhooks/rootfi", large); got != 200 {
		t.Errorf("memory was not given back: status %d", got)
	}
}

func TestASenderThatHangsUpLosesNothing(t *testing.T) {
	s := &store{wait: make(chan struct{}), began: make(chan struct{}, 1)}
	h := build(t, s, nil).Handler()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(httptest.NewRecorder(), request("/webhooks/rootfi", []byte("1"), nil).WithContext(ctx))
	}()
	<-s.began
	cancel()
	close(s.wait)
	<-done
	if len(s.stored()) != 1 {
		t.Error("the event was dropped")
	}
}

func TestBodiesAreNotReused(t *testing.T) {
	s := &store{}
	h := build(t, s, nil).Handler()
	var want []string
	for i := range 40 {
		body := fmt.Sprintf(`"%d %s"`, i, strings.Repeat(string(rune('a'+i%26)), i*5000))
		want = append(want, body)
		r := request("/webhooks/rootfi", []byte(body), nil)
		if i%2 == 0 {
			r = request("/webhooks/rootfi", zip(t, []byte(body)), map[string]string{"Content-Encoding": "gzip"})
		} else if i%3 == 0 {
			r.ContentLength = -1
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 202 {
			t.Fatalf("status %d", w.Code)
		}
	}
	for i, ev := range s.stored() {
		if string(ev.Body) != want[i] {
			t.Errorf("body %d was overwritten", i)
		}
	}
}

func TestPanicIsAnAnswer(t *testing.T) {
	var logged bytes.Buffer
	s := &store{}
	h := build(t, s, func(o *endpoint.Options) {
		o.MaxInFlight = 1
		o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		o.Sources["rootfi"] = endpoint.Source{Anonymous: true, Parse: func(string, []byte, time.Time) (event.Event, error) {
			panic("cannot parse 4111111111111111")
		}}
	}).Handler()
	for range 3 { // the slot comes back each time
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("/webhooks/rootfi", []byte("1"), nil))
		if w.Code != 500 {
			t.Fatalf("status %d", w.Code)
		}
		checkProblem(t, w.Body.Bytes(), "internal")
	}
	if !strings.Contains(logged.String(), "panic") || strings.Contains(logged.String(), "4111") {
		t.Errorf("log: %s", logged.String())
	}
}

func TestLogs(t *testing.T) {
	var logged bytes.Buffer
	clock := now
	s := &store{}
	h := build(t, s, func(o *endpoint.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Now = func() time.Time { return clock }
	}).Handler()
	send := func(key, body string) {
		h.ServeHTTP(httptest.NewRecorder(), request("/webhooks/rootfi", []byte(body), map[string]string{"api_key": key}))
	}
	for range 25 {
		send("wr0ng-guess", "1")
	}
	if n := strings.Count(logged.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, logged.String())
	}
	clock = clock.Add(10 * time.Second)
	send("wr0ng-guess", "1")
	if s := logged.String(); strings.Count(s, "level=WARN") != 2 || !strings.Contains(s, "not_logged=24") {
		t.Errorf("the second warning does not count the others:\n%s", s)
	}
	send(secretKey, `{"card":"4111111111111111"}`)
	send(secretKey, `{"card":"4111111111111111"`)
	out := logged.String()
	if !strings.Contains(out, "event accepted") || !strings.Contains(out, "reason=not_json") {
		t.Errorf("log:\n%s", out)
	}
	for _, secret := range []string{secretKey, "wr0ng-guess", "4111"} {
		if strings.Contains(out, secret) {
			t.Errorf("the log contains %q:\n%s", secret, out)
		}
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

func TestConcurrentRequests(t *testing.T) {
	s := &store{}
	server := httptest.NewServer(build(t, s, nil).Handler())
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 50 {
				body := []byte(fmt.Sprintf(`"%d/%d %s"`, worker, i, strings.Repeat("x", 3000*i)))
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/webhooks/rootfi", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("api_key", secretKey)
				if i%2 == 0 {
					r.Header.Set("Content-Encoding", "gzip")
					zipped := zip(t, body)
					r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(zipped)), int64(len(zipped))
				}
				if i%5 == 0 {
					r.Header.Set("api_key", "guess")
				}
				res, err := server.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if want := map[bool]int{true: 401, false: 202}[i%5 == 0]; res.StatusCode != want {
					t.Errorf("status %d, want %d", res.StatusCode, want)
				}
			}
		})
	}
	wg.Wait()
	if n := len(s.stored()); n != 8*40 {
		t.Errorf("%d events stored", n)
	}
}
