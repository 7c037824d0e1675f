package endpoint_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/internal/endpoint"
)

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

func TestConcurrentRequests(t *testing.T) {
	s := &store{}
	server := httptest.NewServer(build(t, s, nil).Handler())
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 50 {
				body := []byte(fmt.Sprintf(`"%d/%d %s"`, worker, i, strings.Repeat("x", 800*(i%5)*i)))
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
