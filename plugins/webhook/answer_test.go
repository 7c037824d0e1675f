package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
	"github.com/sluicehq/sluice/plugins/destination/redact"
)

func TestAnswers(t *testing.T) {
	for status, want := range map[int]destination.ResultKind{
		200: destination.Delivered, 201: destination.Delivered, 204: destination.Delivered,
		304: destination.Rejected, 300: destination.Rejected,
		301: destination.Misconfigured, 302: destination.Misconfigured, 303: destination.Misconfigured,
		307: destination.Misconfigured, 308: destination.Misconfigured,
		400: destination.Rejected, 401: destination.Misconfigured, 403: destination.Misconfigured,
		404: destination.Rejected, 408: destination.Retry, 409: destination.Rejected, 410: destination.Rejected,
		413: destination.Rejected, 422: destination.Rejected, 425: destination.Retry, 429: destination.Throttled,
		500: destination.Retry, 501: destination.Retry, 502: destination.Retry, 503: destination.Retry, 504: destination.Retry,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			e := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
				w.Header().Set("Location", "https://elsewhere.example/token")
				w.WriteHeader(status)
			})
			d := open(t, map[string]any{"url": e.URL})
			got := write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{}`)))[0]
			if got.Kind != want || want != destination.Delivered && got.Code != fmt.Sprintf("http_%d", status) {
				t.Errorf("%+v, want %v", got, want)
			}
			if n := len(e.got()); n != 1 {
				t.Errorf("%d requests", n)
			}
			if want == destination.Throttled && got.Until.IsZero() {
				t.Error("no moment to try again")
			}
			if strings.Contains(got.Message, "token") {
				t.Errorf("the message quotes the path of the redirect: %s", got.Message)
			}
		})
	}
}

func TestUnavailableWithRetryAfterThrottles(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h := http.Header{"Retry-After": {"Sun, 01 Mar 2026 12:10:00 GMT"}}
	r := resultOfAnswer(503, h, nil, redact.Secrets{}, now)
	if r.Kind != destination.Throttled || !r.Until.Equal(now.Add(10*time.Minute)) {
		t.Errorf("%+v", r)
	}
}

func TestMessagesHoldNoSecrets(t *testing.T) {
	token := "tok_0123456789abcdef"
	e := newEndpoint(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "%s %s %s %v", strings.Repeat("x", 150), r.URL, secret, r.Header)
	})
	d := open(t, map[string]any{
		"url":    strings.Replace(e.URL, "://", "://user1:passw0rd@", 1) + "/services/" + token + "?key=querykey",
		"secret": secret, "headers": map[string]string{"X-Api-Key": "headerkey", "Authorization": "Bearer bearertoken"},
	})
	got := write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{}`)))[0]
	for _, s := range []string{token, "passw0rd", "querykey", strings.TrimPrefix(secret, "whsec_"), "headerkey", "bearertoken"} {
		if strings.Contains(got.Message, s) {
			t.Errorf("%q is in %q", s, got.Message)
		}
	}
	if _, quote, _ := strings.Cut(got.Message, ": "); len(quote) > maxQuote || !strings.Contains(quote, "***") {
		t.Errorf("the quote has %d bytes: %q", len(quote), quote)
	}
	e.Close()
	got = write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{}`)))[0]
	for _, s := range []string{token, "passw0rd", "querykey"} {
		if strings.Contains(got.Message, s) {
			t.Errorf("%q is in %q", s, got.Message)
		}
	}
	if got.Code != httpanswer.CodeRefused {
		t.Errorf("%+v", got)
	}
}

func TestALargeAnswerIsNotReadWhole(t *testing.T) {
	e := newEndpoint(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		w.WriteHeader(http.StatusBadRequest)
		piece := []byte(strings.Repeat("y", 64<<10))
		for r.Context().Err() == nil {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	d := open(t, map[string]any{"url": e.URL, "timeout": "30s"})
	start := time.Now()
	got := write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{}`)))[0]
	if got.Kind != destination.Rejected || time.Since(start) > 10*time.Second || len(got.Message) > maxQuote+100 {
		t.Errorf("%v %d bytes after %v", got.Kind, len(got.Message), time.Since(start))
	}
}

func TestNetworkErrors(t *testing.T) {
	refusing := httptest.NewServer(nil)
	refusing.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	untrusted := newSecure(t, http.NotFoundHandler())
	plain := newEndpoint(t, nil)
	for name, tt := range map[string]struct{ code, url string }{
		"refused":               {httpanswer.CodeRefused, refusing.URL},
		"reset":                 {httpanswer.CodeReset, "http://" + l.Addr().String()},
		"untrusted certificate": {httpanswer.CodeTLS, untrusted.URL},
		"http behind https":     {httpanswer.CodeTLS, strings.Replace(plain.URL, "http:", "https:", 1)},
		"dns":                   {httpanswer.CodeDNS, "http://nowhere.invalid/"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, map[string]any{"url": tt.url})
			got := write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{}`), upsert("2", 1, `{}`)))
			for _, r := range got {
				if r.Kind != destination.Retry || r.Code != tt.code {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}
