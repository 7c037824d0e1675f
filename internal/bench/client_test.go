package bench

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/proc"
)

func TestALoadInsistsAndSendsEachMessageOnce(t *testing.T) {
	var mu sync.Mutex
	bodies := make(map[string]int)
	requests := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if requests++; requests%5 == 0 {
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("api_key") != "k" || r.URL.Path != "/p" {
			t.Errorf("a request to %s with key %q, %v", r.URL.Path, r.Header.Get("api_key"), err)
		}
		bodies[string(body)]++
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "ok")
	}))
	defer s.Close()
	acknowledged := make(chan time.Time, 100)
	got, err := load{
		to: target{address: s.Listener.Addr().String(), path: "/p", apiKey: "k"}, connections: 4, records: 1, operation: "CREATE",
		count: 100, acknowledged: func(at time.Time) { acknowledged <- at },
	}.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.messages != 100 || len(bodies) != 100 || len(acknowledged) != 100 || got.latency.TotalCount() != 100 {
		t.Errorf("%d messages, %d bodies, %d acknowledged, %d latencies", got.messages, len(bodies), len(acknowledged), got.latency.TotalCount())
	}
	if got.refused != int64(requests-100) || got.refused == 0 {
		t.Errorf("%d refused of %d requests", got.refused, requests)
	}
}

func TestALoadEndsWithTheFirstWrongAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"another status":  "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
		"duplicate":       "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"without length":  "HTTP/1.1 202 Accepted\r\n\r\n",
		"not HTTP":        "hello, who is there, please?\r\n\r\n",
		"wrong length":    "HTTP/1.1 202 Accepted\r\nContent-Length: x\r\n\r\n",
		"cut":             "HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nabc",
		"nothing":         "",
		"status not read": "HTTP/1.1 abc Accepted\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, answer)
			}()
			_, err = load{to: target{address: l.Addr().String(), path: "/"}, connections: 1, records: 1, count: 5}.run(t.Context())
			if err == nil || !strings.Contains(err.Error(), "message 0") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestBaseline(t *testing.T) {
	address, err := proc.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Baseline(ctx, address[0]) }()
	l := load{to: target{address: address[0], path: "/"}, connections: 1, records: 1, count: 10}
	for deadline := time.Now().Add(10 * time.Second); ; {
		got, err := l.run(ctx)
		if err == nil {
			if got.messages != 10 {
				t.Errorf("%d messages", got.messages)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
