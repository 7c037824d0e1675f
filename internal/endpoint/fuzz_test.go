package endpoint_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/endpoint"
)

// FuzzHandler sends anything: no panic, always a JSON answer, nothing stored
// without the key, nothing acknowledged that is not stored.
func FuzzHandler(f *testing.F) {
	f.Add("POST", "/webhooks/rootfi", secretKey, "application/json", "", []byte(`{"a":1}`), true)
	f.Add("POST", "/webhooks/rootfi", secretKey, "application/json", "gzip", zip(f, []byte(`{"a":1}`)), false)
	f.Add("POST", "/webhooks/rootfi", "", "text/plain", "br", []byte("x"), true)
	f.Add("PUT", "/webhooks/%2e%2e/x", "x", "a/b;c=d", "gzip", []byte("\x1f\x8b\x08\x00"), false)
	f.Fuzz(func(t *testing.T, method, path, key, contentType, encoding string, body []byte, length bool) {
		r, err := http.NewRequest(method, "http://sluice"+path, bytes.NewReader(body))
		if err != nil {
			return
		}
		if r.Body == nil {
			r.Body = http.NoBody
		}
		r.Header.Set("Api_key", key)
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Content-Encoding", encoding)
		if !length {
			r.ContentLength = -1
		}
		s := &store{}
		w := httptest.NewRecorder()
		build(t, s, func(o *endpoint.Options) { o.MaxBody = 1 << 16 }).Handler().ServeHTTP(w, r)
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("status %d, answer %q", w.Code, w.Body)
		}
		stored := len(s.stored())
		if (w.Code == http.StatusAccepted) != (stored == 1) {
			t.Fatalf("status %d, %d stored", w.Code, stored)
		}
		if stored > 0 && (key != secretKey || method != http.MethodPost || r.URL.Path != "/webhooks/rootfi") {
			t.Fatalf("stored for %s %s", method, path)
		}
		if w.Code >= 500 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
	})
}

func BenchmarkHandler(b *testing.B) {
	s := &store{}
	h := build(b, s, nil).Handler()
	body := append(append([]byte(`"`), bytes.Repeat([]byte("x"), 1022)...), '"')
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request("/webhooks/rootfi", body, nil))
		}
	})
}

// BenchmarkServer measures whole requests over loopback, with a client that
// costs little.
func BenchmarkServer(b *testing.B) {
	s := &store{}
	server := httptest.NewServer(build(b, s, func(o *endpoint.Options) { o.Now = nil }).Handler())
	defer server.Close()
	sent := []byte(head(1024, "") + `"` + strings.Repeat("x", 1022) + `"`)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		answer := bufio.NewReader(conn)
		for pb.Next() {
			if _, err := conn.Write(sent); err != nil {
				b.Error(err)
				return
			}
			for line := []byte(nil); !bytes.HasPrefix(line, []byte("{")); {
				if line, err = answer.ReadSlice('\n'); err != nil {
					b.Error(err)
					return
				}
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}
