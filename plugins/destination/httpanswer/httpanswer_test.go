package httpanswer_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
)

func TestResult(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		status int
		after  string
		kind   destination.ResultKind
		until  time.Time
	}{
		"created":               {201, "", destination.Delivered, time.Time{}},
		"throttled, seconds":    {429, "30", destination.Throttled, now.Add(30 * time.Second)},
		"throttled, date":       {429, "Sun, 01 Mar 2026 12:10:00 GMT", destination.Throttled, now.Add(10 * time.Minute)},
		"throttled, no end":     {429, "", destination.Throttled, now.Add(httpanswer.ShortWait)},
		"unavailable, with end": {503, "5", destination.Throttled, now.Add(5 * time.Second)},
		"unavailable":           {503, "", destination.Retry, time.Time{}},
		"credentials":           {401, "", destination.Misconfigured, time.Time{}},
		"redirect":              {308, "", destination.Misconfigured, time.Time{}},
		"bad record":            {422, "", destination.Rejected, time.Time{}},
		"too early":             {425, "", destination.Retry, time.Time{}},
	} {
		h := http.Header{}
		if tt.after != "" {
			h.Set("Retry-After", tt.after)
		}
		if r := httpanswer.Result(tt.status, h, now); r.Kind != tt.kind || !r.Until.Equal(tt.until) || r.Kind != destination.Delivered && r.Code == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// still is a context whose timer has not rung.
type still struct{ context.Context }

func (still) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestOverdue(t *testing.T) {
	later, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for name, ctx := range map[string]context.Context{"no deadline": context.Background(), "later": later} {
		if err := httpanswer.Overdue(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := httpanswer.Overdue(still{later}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a timer that has not rung: %v", err)
	}
}

func TestLost(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	err := &url.Error{Op: "Post", URL: "https://user:secret@host/", Err: io.ErrUnexpectedEOF}
	if r := httpanswer.Lost(t.Context(), err); r.Kind != destination.Retry || r.Code != httpanswer.CodeReset || strings.Contains(r.Message, "secret") {
		t.Errorf("%+v", r)
	}
	if r := httpanswer.Lost(gone, err); r.Code != httpanswer.CodeCancelled {
		t.Errorf("cancelled: %+v", r)
	}
	if r := httpanswer.Lost(t.Context(), errors.New("odd")); r.Code != httpanswer.CodeNetwork {
		t.Errorf("unknown: %+v", r)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Time{
		"":                               {},
		"soon":                           {},
		"-5":                             {},
		"1.5":                            {},
		"0":                              now,
		" 90 ":                           now.Add(90 * time.Second),
		"99999999999999999999999":        now.Add(httpanswer.MaxWait),
		"Sun, 01 Mar 2026 12:00:30 GMT":  now.Add(30 * time.Second),
		"Sunday, 01-Mar-26 12:00:30 GMT": now.Add(30 * time.Second),
		"Sun Mar  1 12:00:30 2026":       now.Add(30 * time.Second),
		"Sat, 28 Feb 2026 12:00:00 GMT":  now,
		"Fri, 01 Mar 2097 12:00:00 GMT":  now.Add(httpanswer.MaxWait),
	} {
		got, ok := httpanswer.RetryAfter(header, now, httpanswer.MaxWait)
		if ok == want.IsZero() || !got.Equal(want) {
			t.Errorf("%q: %v %v, want %v", header, got, ok, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "120", "-1", "1e9", "Sun, 01 Mar 2026 12:00:00 GMT", "99999999999999999999", "\x00"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header string) {
		until, ok := httpanswer.RetryAfter(header, now, httpanswer.MaxWait)
		if ok && (until.Before(now) || until.After(now.Add(httpanswer.MaxWait))) || !ok && !until.IsZero() {
			t.Errorf("%q: %v %v", header, until, ok)
		}
	})
}
