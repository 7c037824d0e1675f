package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
)

const (
	userAgent   = "Sluice-Salesforce/" + version
	contentJSON = "application/json"
	maxResponse = 64 << 20 // results of a bulk job repeat its rows
)

// client makes the requests.
type client struct {
	options   options
	http      *http.Client
	session   *session
	allowance allowance
	now       func() time.Time
}

func newClient(o options) *client {
	h := &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    o.timeout,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		},
		Timeout: o.timeout,
		// Following would hand the token to somebody whom nobody chose.
		CheckRedirect: httpanswer.Stay,
	}
	return &client{options: o, http: h, session: newSession(o, h), now: time.Now, allowance: allowance{reserve: o.reserve}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	token  string // of the request, which no message may quote
}

// call makes a request to a path below the version of the API. When the token
// has run out it gets a new one, once. A failure is everything but a success.
func (c *client) call(ctx context.Context, method, path, contentType string, body []byte) (answer, *destination.Failure) {
	if f := c.allowance.check(c.now()); f != nil {
		return answer{}, f
	}
	return c.finish(ctx, method, path, contentType, body)
}

// finish is a call that the allowance does not stop: one that ends what was begun.
func (c *client) finish(ctx context.Context, method, path, contentType string, body []byte) (answer, *destination.Failure) {
	g, f := c.session.grant(ctx, nil)
	if f != nil {
		return answer{}, f
	}
	a, f := c.send(ctx, g, method, path, contentType, body)
	if f == nil && expired(a) {
		if g, f = c.session.grant(ctx, g); f != nil {
			return answer{}, f
		}
		a, f = c.send(ctx, g, method, path, contentType, body)
	}
	if f == nil && (a.status < 200 || a.status > 299) {
		f = c.failureOf(a)
	}
	return a, f
}

// expired reports whether the session has to be renewed. Some orgs say so with
// another status than 401.
func expired(a answer) bool {
	if a.status < http.StatusBadRequest {
		return false
	}
	for _, e := range errorsOf(a.body) {
		if e.ErrorCode == "INVALID_SESSION_ID" {
			return true
		}
	}
	return false
}

func (c *client) send(ctx context.Context, g *grant, method, path, contentType string, body []byte) (answer, *destination.Failure) {
	req, err := http.NewRequestWithContext(ctx, method, g.instance+c.base()+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, noAnswer(ctx, err, &c.options)
	}
	req.Header.Set("Authorization", "Bearer "+g.AccessToken)
	req.Header.Set("User-Agent", userAgent)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if err := httpanswer.Overdue(ctx); err != nil {
		return answer{}, noAnswer(ctx, err, &c.options)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, noAnswer(ctx, err, &c.options)
	}
	defer resp.Body.Close()
	c.allowance.note(resp.Header.Get("Sforce-Limit-Info"), c.now())
	a := answer{status: resp.StatusCode, header: resp.Header, token: g.AccessToken}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxResponse)); err != nil {
		return answer{}, noAnswer(ctx, err, &c.options)
	}
	return a, nil
}

// base is the path of the API.
func (c *client) base() string { return "/services/data/v" + c.options.APIVersion + "/" }

// allowance knows how much of the daily requests is used.
type allowance struct {
	reserve int // percent

	mu        sync.Mutex
	used, max int64
	at        time.Time
}

// note reads the header that every answer carries, such as api-usage=113/5000.
func (a *allowance) note(header string, now time.Time) {
	for part := range strings.SplitSeq(header, ";") {
		text, ok := strings.CutPrefix(strings.TrimSpace(part), "api-usage=")
		if !ok {
			continue
		}
		before, after, _ := strings.Cut(text, "/")
		used, err := strconv.ParseInt(before, 10, 64)
		if err != nil {
			return
		}
		limit, err := strconv.ParseInt(after, 10, 64)
		if err != nil || limit <= 0 {
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.used, a.max, a.at = used, limit, now
		return
	}
}

// check throttles when only the reserve is left. After a while one request may
// go to see how much came back.
func (a *allowance) check(now time.Time) *destination.Failure {
	a.mu.Lock()
	defer a.mu.Unlock()
	until := a.at.Add(quotaWait)
	if a.max == 0 || a.reserve == 0 || !now.Before(until) || a.used*100 < a.max*int64(100-a.reserve) {
		return nil
	}
	return &destination.Failure{
		Kind: destination.Throttled, Code: codeReserve, Until: until,
		Err: fmt.Errorf("%d of %d daily API requests of the org are used; %d %% are left to others (reserve_percent)", a.used, a.max, a.reserve),
	}
}
