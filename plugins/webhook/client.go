package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
)

const userAgent = "Sluice-Webhook/" + version

// client makes the requests.
type client struct {
	options options
	dialer  *net.Dialer
	http    *http.Client
	now     func() time.Time
}

// newClient makes a client. Without tlsConfig the system's certificates count.
func newClient(o options, tlsConfig *tls.Config) *client {
	c := &client{options: o, now: time.Now}
	c.dialer = &net.Dialer{Timeout: o.timeout, KeepAlive: 30 * time.Second, ControlContext: o.guard.control}
	transport := &http.Transport{
		DialContext:            c.dialer.DialContext,
		TLSClientConfig:        tlsConfig,
		TLSHandshakeTimeout:    o.timeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           o.concurrency * 4,
		MaxIdleConnsPerHost:    o.concurrency * 4, // several writes run at a time
		IdleConnTimeout:        time.Minute,
		DisableCompression:     true, // an answer is never worth unpacking
		MaxResponseHeaderBytes: 64 << 10,
	}
	// Without a Proxy function the environment is not looked at.
	if o.proxy != nil {
		transport.Proxy = http.ProxyURL(o.proxy)
	}
	c.http = &http.Client{
		Transport: transport,
		// Following would send the records to somebody whom nobody chose.
		CheckRedirect: httpanswer.Stay,
	}
	return c
}

// post sends one request and says what became of it.
func (c *client) post(ctx context.Context, id string, body []byte) destination.Result {
	ctx, cancel := context.WithTimeout(ctx, c.options.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.options.url.String(), bytes.NewReader(body))
	if err != nil {
		return resultOfError(ctx, err, c.options.redact)
	}
	for name, values := range c.options.headers {
		req.Header[name] = values
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", userAgent)
	}
	req.Header.Set("Content-Type", "application/json")
	if req.Header["Idempotency-Key"] == nil {
		// Not sent: it tells the transport that it may repeat the request when the
		// endpoint had closed a connection that was kept.
		req.Header["Idempotency-Key"] = []string{}
	}
	c.sign(req.Header, id, body)
	if err := httpanswer.Overdue(ctx); err != nil {
		return resultOfError(ctx, err, c.options.redact)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return resultOfError(ctx, err, c.options.redact)
	}
	defer resp.Body.Close()
	// Reading the answer lets the connection be used again. What comes of it
	// does not matter any more: the status is known.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, c.options.maxResponse))
	return resultOfAnswer(resp.StatusCode, resp.Header, answer, c.options.redact, c.now())
}

// sign adds the headers of Standard Webhooks. The id stays with the message;
// the timestamp is that of this attempt, so that receivers can refuse old ones.
func (c *client) sign(h http.Header, id string, body []byte) {
	at := c.now()
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	signatures := make([]string, 0, len(c.options.signers))
	for _, s := range c.options.signers {
		if signature, err := s.Sign(id, at, body); err == nil { // it never fails
			signatures = append(signatures, signature)
		}
	}
	if len(signatures) > 0 {
		h.Set("webhook-signature", strings.Join(signatures, " "))
	}
}

// connect goes as far towards the endpoint as possible without a request: name
// resolution, TCP and, for https, TLS. With a proxy it goes as far as the proxy.
func (c *client) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.options.timeout)
	defer cancel()
	u := c.options.url
	if c.options.proxy != nil {
		u = c.options.proxy
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080"}[u.Scheme]
	}
	conn, err := c.dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if u.Scheme != "https" {
		return nil
	}
	config := &tls.Config{}
	if t := c.http.Transport.(*http.Transport).TLSClientConfig; t != nil {
		config = t.Clone()
	}
	config.ServerName = u.Hostname()
	return tls.Client(conn, config).HandshakeContext(ctx)
}

func (c *client) close() { c.http.CloseIdleConnections() }
