package endpoint_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/endpoint"
	"github.com/sluicehq/sluice/internal/rootfi"
)

// hostile is a real server with a real parser, and the memory it had before.
type hostile struct {
	*testing.T
	store   *store
	address string
	before  uint64
}

func newHostile(t *testing.T, o endpoint.ServerOptions) *hostile {
	t.Helper()
	h := &hostile{T: t, store: &store{}}
	o.Handler = build(t, h.store, func(o *endpoint.Options) {
		o.Sources["rootfi"] = endpoint.Source{Authenticate: keyed(t), Parse: rootfi.Parse}
		o.MaxBody, o.MaxBuffered = 4<<20, 16<<20
	}).Handler()
	h.address = start(t, o)
	h.before = heap()
	return h
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// alive sends an ordinary webhook, which must be stored although the attackers
// are still there, and looks at the memory.
func (h *hostile) alive(id string) {
	h.Helper()
	body := `{"rootfi_id":"` + id + `","webhook_type":"SYNC_COMPLETED","company_id":1,"data":{}}`
	res := talk(h.T, h.address, head(len(body), "")+body)
	if res == nil || res.StatusCode != http.StatusAccepted {
		h.Errorf("%s: an ordinary webhook got %+v", id, res)
	}
	if after := heap(); after > h.before+64<<20 {
		h.Errorf("%s: the heap grew from %d to %d MiB", id, h.before>>20, after>>20)
	}
}

// A thousand who begin and never go on.
func TestSlowCrowds(t *testing.T) {
	for name, sent := range map[string]string{
		"silent":       "",
		"half a line":  "POST /webhooks/roo",
		"half a head":  "POST /webhooks/rootfi HTTP/1.1\r\nHost: sluice\r\nX-A: b\r\n",
		"half a body":  head(1<<20, "") + `{"a":`,
		"half a chunk": strings.Replace(head(0, ""), "Content-Length: 0", "Transfer-Encoding: chunked", 1) + "100\r\n{",
		"half a gzip":  head(1<<20, "Content-Encoding: gzip\r\n") + "\x1f\x8b\x08\x00",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t, endpoint.ServerOptions{})
			var crowd []net.Conn
			for range 400 { // fewer than what a source may have in flight
				c := must[net.Conn](t)(net.Dial("tcp", h.address))
				crowd = append(crowd, c)
				if _, err := io.WriteString(c, sent); err != nil {
					t.Fatal(err)
				}
			}
			h.alive("among the slow")
			for _, c := range crowd {
				_ = c.Close()
			}
			h.alive("after the slow")
		})
	}
}

// The newest silent connections are not kept for those who asked first.
func TestConnectionFlood(t *testing.T) {
	const limit = 50
	h := newHostile(t, endpoint.ServerOptions{MaxConnections: limit})
	keep := must[net.Conn](t)(net.Dial("tcp", h.address)) // sends, waits, sends again
	defer keep.Close()
	answers := bufio.NewReader(keep)
	again := func(id string) {
		t.Helper()
		body := `{"rootfi_id":"` + id + `","webhook_type":"SYNC_COMPLETED","company_id":1,"data":{}}`
		if _, err := io.WriteString(keep, head(len(body), "")+body); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%s: an idle connection was cut though silent ones were there: %v", id, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if res.StatusCode != http.StatusAccepted {
			t.Fatalf("status %d", res.StatusCode)
		}
	}
	again("kept first")
	var flood []net.Conn
	for range 10 * limit {
		c := must[net.Conn](t)(net.Dial("tcp", h.address))
		defer c.Close()
		flood = append(flood, c)
	}
	h.alive("in the flood")
	again("kept again")
	open := 0
	for _, c := range flood {
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			open++
		}
	}
	if open > limit {
		t.Errorf("%d silent connections are open, the limit is %d", open, limit)
	}
}

// With everybody else at work, the newcomer goes, and no request is cut off.
func TestConnectionsAtWorkAreNotCut(t *testing.T) {
	const limit = 4
	s := &store{wait: make(chan struct{}), began: make(chan struct{}, limit)}
	address := start(t, endpoint.ServerOptions{Handler: build(t, s, nil).Handler(), MaxConnections: limit})
	answers := make(chan *http.Response, limit)
	var wg sync.WaitGroup
	for i := range limit {
		wg.Go(func() { answers <- talk(t, address, head(1, "")+fmt.Sprint(i)) })
		<-s.began
	}
	if res := talk(t, address, head(1, "")+"9"); res != nil {
		t.Errorf("a connection too many was answered %d", res.StatusCode)
	}
	close(s.wait)
	wg.Wait()
	for range limit {
		if res := <-answers; res == nil || res.StatusCode != http.StatusAccepted {
			t.Errorf("a request at work got %+v", res)
		}
	}
	if res := talk(t, address, head(1, "")+"9"); res == nil || res.StatusCode != http.StatusAccepted {
		t.Errorf("afterwards: %+v", res)
	}
}

// Bodies that are well formed and mean to do harm. What is JSON is stored or
// refused, in good time; nothing takes the server down.
func TestHostileBodies(t *testing.T) {
	h := newHostile(t, endpoint.ServerOptions{})
	const size = 1 << 20
	envelope := func(data string) string {
		return `{"webhook_type":"DATA_MODEL_CHANGES","company_id":1,"integration_type":"XERO","data_model":"BILLS","type":"CREATE","data":` + data + `}`
	}
	list := func(n int, item func(i int) string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(item(i))
		}
		return b.String()
	}
	for name, tt := range map[string]struct {
		body   string
		status int
	}{
		"deep arrays":             {strings.Repeat("[", size) + strings.Repeat("]", size), 400},
		"deep arrays, unclosed":   {strings.Repeat("[", size), 400},
		"deep objects":            {strings.Repeat(`{"a":`, size/5) + "1" + strings.Repeat("}", size/5), 400},
		"deep data":               {envelope(strings.Repeat("[", 9000) + strings.Repeat("]", 9000)), 202},
		"many fields":             {envelope(`[{"platform_id":"1",` + list(100_000, func(i int) string { return fmt.Sprintf(`"f%d":%d`, i, i) }) + `}]`), 202},
		"many envelope members":   {`{` + list(100_000, func(i int) string { return fmt.Sprintf(`"m%d":0`, i) }) + `}`, 202},
		"many empty records":      {envelope(`[` + list(300_000, func(int) string { return `{}` }) + `]`), 202},
		"the same key many times": {envelope(`[{` + list(100_000, func(i int) string { return fmt.Sprintf(`"platform_id":"%d"`, i) }) + `}]`), 202},
		"two envelopes in one":    {envelope(`[]`)[:len(envelope(`[]`))-1] + `,"company_id":2,"data":{}}`, 202},
		"a very long key":         {envelope(`[{"` + strings.Repeat("k", size) + `":1}]`), 202},
		"a very long number":      {envelope(`[{"platform_id":"1","n":1` + strings.Repeat("0", size) + `}]`), 202},
		"a vast exponent":         {envelope(`[{"platform_id":"1","n":1e999999999}]`), 202},
		"invalid UTF-8":           {envelope("[{\"platform_id\":\"\xff\xfe\",\"\xc3\x28\":1}]"), 202},
		"lone surrogates":         {envelope(`[{"platform_id":"\ud800","x":"\udfff"}]`), 202},
		"NUL in a key":            {envelope(`[{"platform_id":"\u0000","a\u0000b":1}]`), 202},
		"escapes throughout":      {envelope(`["` + strings.Repeat(`\u0061`, size/6) + `"]`), 202},
		"two documents":           {"{}{}", 400},
		"trailing NUL":            {"{}\x00", 400},
		"byte order mark":         {"\xef\xbb\xbf{}", 202},
		"UTF-16":                  {"{\x00}\x00", 400},
		"white space only":        {strings.Repeat(" ", size), 400},
		"white space around":      {strings.Repeat("\n", size) + "{}", 202},
	} {
		t.Run(name, func(t *testing.T) {
			for form, sent := range map[string]string{
				"with its length": head(len(tt.body), "") + tt.body,
				"in chunks":       strings.Replace(head(0, ""), "Content-Length: 0", "Transfer-Encoding: chunked", 1) + chunks(tt.body, 64<<10),
				"compressed":      compressed(t, tt.body),
			} {
				status := 0
				if res := talk(t, h.address, sent); res != nil {
					status = res.StatusCode
				}
				if status == http.StatusOK { // the same body in another form
					status = http.StatusAccepted
				}
				if status != tt.status {
					t.Errorf("%s: status %d, want %d", form, status, tt.status)
				}
			}
			h.alive(name)
			h.store.forget()
		})
	}
}

// forget drops what was stored, so that it does not count as memory of the server.
func (s *store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = nil
}

func chunks(body string, size int) string {
	var b strings.Builder
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String() + "0\r\n\r\n"
}

func compressed(t *testing.T, body string) string {
	z := zip(t, []byte(body))
	return head(len(z), "Content-Encoding: gzip\r\n") + string(z)
}

// Bombs by hundreds at a time: the memory for bodies is bounded as a whole.
func TestManyBombs(t *testing.T) {
	h := newHostile(t, endpoint.ServerOptions{})
	var bomb bytes.Buffer
	w := must[*gzip.Writer](t)(gzip.NewWriterLevel(&bomb, gzip.BestCompression))
	for range 64 {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sent := head(bomb.Len(), "Content-Encoding: gzip\r\n") + bomb.String()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if res := talk(t, h.address, sent); res != nil && res.StatusCode != 413 && res.StatusCode != 503 {
				t.Errorf("status %d", res.StatusCode)
			}
		})
	}
	wg.Wait()
	h.alive("after the bombs")
}

// Shapes in which two servers see different requests. In none of them may what
// stands behind be taken for a request of its own on a connection that goes on.
func TestSmuggling(t *testing.T) {
	body := `{"rootfi_id":"smuggled","webhook_type":"SYNC_COMPLETED","company_id":1,"data":{}}`
	inner := head(len(body), "") + body
	line := "POST /webhooks/rootfi HTTP/1.1\r\nHost: sluice\r\nContent-Type: application/json\r\napi_key: " + secretKey + "\r\n"
	for name, sent := range map[string]string{
		"length and chunks":               line + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n", len(inner)+5) + "0\r\n\r\n" + inner,
		"chunks and length":               line + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n" + "2\r\n{}\r\n0\r\n\r\n" + inner,
		"two lengths":                     line + "Content-Length: 2\r\nContent-Length: 400\r\n\r\n{}" + inner,
		"a list of lengths":               line + "Content-Length: 2, 400\r\n\r\n{}" + inner,
		"signed length":                   line + "Content-Length: +2\r\n\r\n{}" + inner,
		"negative length":                 line + "Content-Length: -1\r\n\r\n{}" + inner,
		"length in hex":                   line + "Content-Length: 0x2\r\n\r\n{}" + inner,
		"space before the colon":          line + "Content-Length : 2\r\n\r\n{}" + inner,
		"chunked twice":                   line + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + inner,
		"chunked, identity":               line + "Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + inner,
		"chunked with a vertical tab":     line + "Transfer-Encoding: \vchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + inner,
		"gzip, chunked":                   line + "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + inner,
		"bare CR in a header":             line + "X: a\rContent-Length: 2\r\n\r\n{}" + inner,
		"folded header":                   line + "X: a\r\n Content-Length: 2\r\n\r\n" + inner,
		"NUL in a header":                 line + "X: a\x00b\r\nContent-Length: 2\r\n\r\n{}" + inner,
		"chunk size with a sign":          line + "Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" + inner,
		"chunk size beyond 64 bits":       line + "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n" + inner,
		"chunk with a bare LF":            line + "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n" + inner,
		"chunked in HTTP/1.0":             strings.Replace(line, "1.1", "1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + inner,
		"no length in HTTP/1.1":           line + "\r\n" + inner, // a body of nothing, and then a request
		"an absolute address":             strings.Replace(line, "/webhooks/rootfi", "http://elsewhere/webhooks/../webhooks/rootfi", 1) + "Content-Length: 2\r\n\r\n{}",
		"two hosts":                       line + "Host: elsewhere\r\nContent-Length: 2\r\n\r\n{}" + inner,
		"no host":                         strings.Replace(line, "Host: sluice\r\n", "", 1) + "Content-Length: 2\r\n\r\n{}" + inner,
		"a line break in the key, as %0a": strings.Replace(line, secretKey, "guess%0d%0aapi_key: "+secretKey, 1) + "Content-Length: 2\r\n\r\n{}" + inner,
	} {
		t.Run(name, func(t *testing.T) {
			s := &store{}
			address := start(t, endpoint.ServerOptions{ReadTimeout: 2 * time.Second, Handler: build(t, s, func(o *endpoint.Options) {
				o.Sources["rootfi"] = endpoint.Source{Authenticate: keyed(t), Parse: rootfi.Parse}
			}).Handler()})
			talkToTheEnd(t, address, sent)
			for _, ev := range s.stored() {
				if ev.ID == "smuggled" {
					t.Error("what stood behind the request was taken in")
				}
			}
		})
	}
}

// talkToTheEnd sends what is given and waits until the server has dealt with all
// of it and closed the connection.
func talkToTheEnd(t *testing.T, address, sent string) {
	t.Helper()
	conn := must[net.Conn](t)(net.Dial("tcp", address))
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, sent) // the server may close before it has read all
	_ = conn.(*net.TCPConn).CloseWrite()
	_, err := io.Copy(io.Discard, conn)
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		t.Fatal("the server kept the connection")
	}
}

// HTTP/2 is what TLS clients speak to it: the same limits hold.
func TestHostileHTTP2(t *testing.T) {
	files := endpoint.CertificateFiles{Cert: filepath.Join(t.TempDir(), "cert.pem"), Key: filepath.Join(t.TempDir(), "key.pem")}
	endpoint.WritePair(t, files, 1)
	h := newHostile(t, endpoint.ServerOptions{TLS: &files, ReadTimeout: 2 * time.Second})
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	post := func(body io.Reader, headers ...string) (int, error) {
		r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+h.address+"/webhooks/rootfi", body))
		r.Header.Set("Api_key", secretKey)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		res, err := transport.RoundTrip(r)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		if res.ProtoMajor != 2 {
			t.Fatalf("the protocol is %s", res.Proto)
		}
		return res.StatusCode, nil
	}
	well := func(when string) {
		t.Helper()
		if status, err := post(strings.NewReader(fmt.Sprintf("%q", when))); status != http.StatusAccepted {
			t.Errorf("%s: %d, %v", when, status, err)
		}
	}
	well("first")
	if status, _ := post(strings.NewReader("{}"), "X-Flood", strings.Repeat("x", 200<<10)); status != 0 && status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("header flood: status %d", status)
	}
	well("after the header flood")
	if status, _ := post(io.LimitReader(endless{}, 64<<20)); status != http.StatusRequestEntityTooLarge && status != 0 {
		t.Errorf("endless body: status %d", status)
	}
	well("after the endless body")
	if status, err := post(strings.NewReader("{}"), "Api_key", "guess"); status != http.StatusUnauthorized {
		t.Errorf("wrong key: %d, %v", status, err)
	}
	// A body that never comes, on many streams of one connection at a time.
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			silent, w := io.Pipe()
			defer w.Close()
			if status, _ := post(silent); status == http.StatusAccepted {
				t.Error("half a body was accepted")
			}
		})
	}
	well("among the slow streams")
	wg.Wait()
	well("after the slow streams")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
