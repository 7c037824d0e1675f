package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

// Client talks to the admin API of a running Sluice.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// NewClient returns a client for the admin listener at address (host:port). A
// host that stands for all addresses of a machine is asked at loopback.
func NewClient(address, token string) *Client {
	if host, port, err := net.SplitHostPort(address); err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			address = net.JoinHostPort("localhost", port)
		}
	}
	return &Client{base: "http://" + address, token: token, http: &http.Client{Timeout: time.Minute}}
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the rest is ours, and long
		}
		return fmt.Errorf("no sluice answers at %s: %w (is `sluice serve` running with this configuration?)", c.base, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && path != "/readyz" {
		var e Error
		if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&e); err != nil || e.Error.Message == "" {
			return fmt.Errorf("what answers at %s is no sluice: %s %s: %s", c.base, method, path, res.Status)
		}
		return errors.New(e.Error.Message)
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.base, err)
	}
	return nil
}

func get[T any](ctx context.Context, c *Client, path string, query map[string]string) (T, error) {
	q := url.Values{}
	for k, v := range query {
		if v != "" && v != "0" {
			q.Set(k, v)
		}
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	var out T
	return out, c.do(ctx, http.MethodGet, path, nil, &out)
}

// Ready asks for the state of each part.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	return get[Readiness](ctx, c, "/readyz", nil)
}

// Status asks for a summary.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, "/api/v1/status", nil)
}

// Events lists events; query may hold source, company, model, kind, before and limit.
func (c *Client) Events(ctx context.Context, query map[string]string) ([]Event, error) {
	return get[[]Event](ctx, c, "/api/v1/events", query)
}

// Event returns one event with its body.
func (c *Client) Event(ctx context.Context, source, id string) (Event, error) {
	return get[Event](ctx, c, "/api/v1/events/"+url.PathEscape(source)+"/"+url.PathEscape(id), nil)
}

// Records returns the records that match; query may hold source, company,
// integration, model, and must hold platform_id.
func (c *Client) Records(ctx context.Context, query map[string]string) ([]Record, error) {
	return get[[]Record](ctx, c, "/api/v1/records", query)
}

// DeadLetters lists dead letters; query may hold destination, model, code, before and limit.
func (c *Client) DeadLetters(ctx context.Context, query map[string]string) ([]ledger.DeadLetter, error) {
	return get[[]ledger.DeadLetter](ctx, c, "/api/v1/dead-letters", query)
}

// DeadLetter returns one dead letter.
func (c *Client) DeadLetter(ctx context.Context, id string) (ledger.DeadLetter, error) {
	return get[ledger.DeadLetter](ctx, c, "/api/v1/dead-letters/"+url.PathEscape(id), nil)
}

// ActOnDeadLetters retries or discards dead letters.
func (c *Client) ActOnDeadLetters(ctx context.Context, in DeadLetterAction) (DeadLetterResult, error) {
	var out DeadLetterResult
	return out, c.do(ctx, http.MethodPost, "/api/v1/dead-letters", in, &out)
}

// Destinations lists destinations.
func (c *Client) Destinations(ctx context.Context) ([]Destination, error) {
	return get[[]Destination](ctx, c, "/api/v1/destinations", nil)
}

// ActOnDestination checks, pauses or resumes a destination.
func (c *Client) ActOnDestination(ctx context.Context, name, action string) (CheckResult, error) {
	var out CheckResult
	return out, c.do(ctx, http.MethodPost, "/api/v1/destinations/"+url.PathEscape(name)+"/"+strings.TrimSpace(action), struct{}{}, &out)
}
