package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/time/rate"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
	"github.com/sluicehq/sluice/plugins/destination/oauth"
)

const (
	userAgent = "Sluice-HubSpot/" + version
	// maxAnswer bounds what is read of an answer: 100 records, or the definitions
	// of some thousand properties.
	maxAnswer = 32 << 20
)

// client makes the requests.
type client struct {
	options options
	http    *http.Client
	tokens  *oauth.Tokens
	pace    *rate.Limiter
	now     func() time.Time

	mu   sync.Mutex
	zone *time.Location // of the account; nil: not asked yet
}

func newClient(o options) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16 // several writes run at a time
	transport.MaxResponseHeaderBytes = 64 << 10
	h := &http.Client{
		Transport: transport,
		Timeout:   o.timeout,
		// Following would send the token to somebody whom nobody chose.
		CheckRedirect: httpanswer.Stay,
	}
	// HubSpot counts over ten seconds. What may go at once and what the rate adds
	// in that time stay within the limit together.
	burst := o.RequestsPerSecond
	perSecond := 0.9 * float64(burst)
	return &client{
		options: o, http: h, tokens: newTokens(&o, h), pace: rate.NewLimiter(rate.Limit(perSecond), burst), now: time.Now,
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// call makes a request and decodes a good answer into out, unless that is nil.
// An error is an [*apiError] if HubSpot answered with one.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
	}
	var refused *oauth2.Token
	for {
		token, err := c.tokens.Get(ctx, refused)
		if err != nil {
			return refreshError(err)
		}
		err = c.once(ctx, method, path, token.AccessToken, body, out)
		// Only OAuth has another token, and if a new one is refused too, a third
		// will be.
		if e := asAPIError(err); e == nil || e.status != http.StatusUnauthorized || refused != nil || c.options.Token != "" {
			return err
		}
		refused = token
	}
}

func (c *client) once(ctx context.Context, method, path, token string, body []byte, out any) error {
	if err := c.pace.Wait(ctx); err != nil {
		// The deadline would pass while waiting.
		return fmt.Errorf("wait for a turn within requests_per_second: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.options.base.String()+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("User-Agent", userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if err := httpanswer.Overdue(ctx); err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		e := &apiError{status: resp.StatusCode, header: resp.Header}
		_ = json.Unmarshal(answer, &e.body) // a proxy's page has no fields
		e.body.Message = strings.ReplaceAll(e.body.Message, token, "***")
		return e
	}
	if out == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		// The error of encoding/json may quote a value.
		return &destination.Failure{Kind: destination.Retry, Code: codeAnswer, Err: fmt.Errorf("HubSpot's answer (%d) is not the JSON that was expected", resp.StatusCode)}
	}
	return nil
}

// account asks who the token belongs to, and so for the time zone in which the
// day of the daily limit ends.
func (c *client) account(ctx context.Context) error {
	var details struct {
		TimeZone string `json:"timeZone"`
	}
	if err := c.call(ctx, http.MethodGet, "/account-info/"+datedVersion+"/details", nil, &details); err != nil {
		return err
	}
	zone, err := time.LoadLocation(details.TimeZone)
	if err != nil {
		zone = time.UTC // a name that is newer than this program
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.zone = zone
	return nil
}

// knowZone asks for the time zone once. Without an answer UTC counts.
func (c *client) knowZone(ctx context.Context) {
	c.mu.Lock()
	known := c.zone != nil
	c.mu.Unlock()
	if !known && c.account(ctx) != nil {
		c.mu.Lock()
		c.zone = time.UTC
		c.mu.Unlock()
	}
}

// result says what an error of a call means for what was to be written.
func (c *client) result(err error) destination.Result {
	c.mu.Lock()
	zone := c.zone
	c.mu.Unlock()
	if zone == nil {
		zone = time.UTC
	}
	r := resultOfError(err, c.now(), zone)
	r.Message = c.options.redact(r.Message)
	return r
}

func (c *client) objectPath(object, rest string) string {
	return "/crm/objects/" + c.options.APIVersion + "/" + object + "/" + rest
}

func (c *client) propertyPath(object, rest string) string {
	return "/crm/properties/" + c.options.APIVersion + "/" + object + rest
}
