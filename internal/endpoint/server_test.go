package endpoint_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/endpoint"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	return must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
}

// start serves the handler until the test ends and returns its address.
func start(t *testing.T, o endpoint.ServerOptions) string {
	t.Helper()
	s := must[*endpoint.Server](t)(endpoint.NewServer(o))
	l := listen(t)
	s.Start(l)
	t.Cleanup(func() {
		if err := s.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// talk opens a connection, sends what is given and returns the answer that
// comes, or nil if the server hangs up without one.
func talk(t *testing.T, address, sent string) *http.Response {
	t.Helper()
	conn := must[net.Conn](t)(net.Dial("tcp", address))
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, sent); err != nil {
		t.Logf("write: %v", err) // the server may answer before it has read all
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			t.Fatal("the server kept the connection")
		}
		return nil
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res
}

func head(length int, more string) string {
	return fmt.Sprintf("POST /webhooks/rootfi HTTP/1.1\r\nHost: sluice\r\nContent-Type: application/json\r\napi_key: %s\r\nContent-Length: %d\r\n%s\r\n", secretKey, length, more)
}

func TestSlowAndGreedyClients(t *testing.T) {
	h := build(t, &store{}, nil).Handler()
	// Short for those who never end, long for those who are judged by what they send.
	impatient := start(t, endpoint.ServerOptions{Handler: h, ReadTimeout: time.Second})
	patient := start(t, endpoint.ServerOptions{Handler: h})
	for name, tt := range map[string]struct {
		sent   string
		status int // 0: hangs up
	}{
		"header never ends":        {"POST /webhooks/rootfi HTTP/1.1\r\nHost: sluice\r\n", 0},
		"body never ends":          {head(100, "") + `{"a":`, 408},
		"large body never ends":    {head(1<<20, "") + `{"a":`, 408},
		"gzip never ends":          {head(100, "Content-Encoding: gzip\r\n") + "\x1f\x8b", 408},
		"huge header":              {head(2, "X: "+strings.Repeat("x", 100<<10)+"\r\n") + "{}", 431},
		"body shorter than chunk":  {strings.Replace(head(0, ""), "Content-Length: 0", "Transfer-Encoding: chunked", 1) + "ffffffffff\r\n{}", 408},
		"broken chunks":            {strings.Replace(head(0, ""), "Content-Length: 0", "Transfer-Encoding: chunked", 1) + "zz\r\n{}", 400},
		"two lengths":              {head(2, "Content-Length: 3\r\n") + "{}", 400},
		"length and chunked":       {head(2, "Transfer-Encoding: chunked\r\n") + "2\r\n{}\r\n0\r\n\r\n", 202},
		"claims too much":          {head(64<<20, ""), 413},
		"unauthenticated and slow": {strings.Replace(head(100, ""), secretKey, "guess", 1), 401},
		"expects a go-ahead":       {strings.Replace(head(100, "Expect: 100-continue\r\n"), secretKey, "guess", 1), 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait at the same time
			address := patient
			if tt.status == 0 || tt.status == http.StatusRequestTimeout {
				address = impatient
			}
			status := 0
			if res := talk(t, address, tt.sent); res != nil {
				status = res.StatusCode
			}
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
		})
	}
}

func TestGzipBomb(t *testing.T) {
	var bomb bytes.Buffer
	w := must[*gzip.Writer](t)(gzip.NewWriterLevel(&bomb, gzip.BestCompression))
	block := make([]byte, 1<<20)
	for range 200 {
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := &store{}
	h := build(t, s, func(o *endpoint.Options) { o.MaxBody = 4 << 20 }).Handler()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if got := <-serveGzip(h, bomb.Bytes()); got != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d, want 413", got)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 20<<20 {
		t.Errorf("%d MiB allocated for a bomb of %d KiB", used>>20, bomb.Len()>>10)
	}
}

func serveGzip(h http.Handler, body []byte) <-chan int {
	return serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Content-Encoding", "gzip")
		h.ServeHTTP(w, r)
	}), "/webhooks/rootfi", body)
}

func TestShutdownFinishesWhatItAccepted(t *testing.T) {
	s := &store{wait: make(chan struct{}), began: make(chan struct{}, 1)}
	server := must[*endpoint.Server](t)(endpoint.NewServer(endpoint.ServerOptions{Name: "webhooks", Handler: build(t, s, nil).Handler()}))
	l := listen(t)
	address := l.Addr().String()
	server.Start(l)

	answer := make(chan *http.Response, 1)
	go func() { answer <- talk(t, address, head(2, "")+"{}") }()
	<-s.began
	stopped := make(chan error, 1)
	go func() { stopped <- server.Shutdown(t.Context()) }()
	for { // until nothing new is taken
		conn, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped while a request was under way: %v", err)
	default:
	}
	close(s.wait)
	if res := <-answer; res == nil || res.StatusCode != 202 {
		t.Errorf("answer %+v", res)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if len(s.stored()) != 1 {
		t.Error("not stored")
	}
	select {
	case err := <-server.Failed():
		t.Errorf("a shutdown is no failure: %v", err)
	default:
	}
}

func TestShutdownCutsOffWhenTimeIsUp(t *testing.T) {
	s := &store{wait: make(chan struct{}), began: make(chan struct{}, 1)}
	defer close(s.wait)
	server := must[*endpoint.Server](t)(endpoint.NewServer(endpoint.ServerOptions{Handler: build(t, s, nil).Handler()}))
	l := listen(t)
	server.Start(l)
	answer := make(chan *http.Response, 1)
	go func() { answer <- talk(t, l.Addr().String(), head(2, "")+"{}") }()
	<-s.began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if res := <-answer; res != nil {
		t.Errorf("answer %+v", res)
	}
}

func TestServerReportsItsFailure(t *testing.T) {
	server := must[*endpoint.Server](t)(endpoint.NewServer(endpoint.ServerOptions{Name: "admin", Handler: http.NotFoundHandler()}))
	l := listen(t)
	_ = l.Close()
	server.Start(l)
	if err := <-server.Failed(); err == nil || !strings.HasPrefix(err.Error(), "admin server: ") {
		t.Errorf("err = %v", err)
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNewServerRefuses(t *testing.T) {
	if _, err := endpoint.NewServer(endpoint.ServerOptions{}); err == nil {
		t.Error("no handler: no error")
	}
	_, err := endpoint.NewServer(endpoint.ServerOptions{Handler: http.NotFoundHandler(), TLS: &endpoint.CertificateFiles{Cert: "no.pem", Key: "no.key"}})
	if err == nil {
		t.Error("no certificate: no error")
	}
}
