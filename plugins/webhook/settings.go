package main

import (
	"github.com/sluicehq/sluice/plugins/destination/redact"

	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination/serve"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// settings are what an operator writes under config.
type settings struct {
	URL              string                     `json:"url" jsonschema:"writeOnly=true,minLength=1,description=Endpoint that takes the POST requests; http or https."`
	Secret           string                     `json:"secret,omitempty" jsonschema:"writeOnly=true,description=Signing secret (whsec_ and base64). Without one nothing is signed."`
	Secrets          []string                   `json:"secrets,omitempty" jsonschema_extras:"writeOnly=true" jsonschema:"description=Several signing secrets for rotation; every request is signed with all."`
	Headers          map[string]string          `json:"headers,omitempty" jsonschema_extras:"writeOnly=true" jsonschema:"description=Headers of every request\\, e.g. Authorization."`
	Timeout          string                     `json:"timeout,omitempty" jsonschema:"default=15s,description=How long one request may take\\, with its answer."`
	Batch            bool                       `json:"batch,omitempty" jsonschema:"default=false,description=Send each write as one request with an array instead of a request per record."`
	Body             map[string]json.RawMessage `json:"body,omitempty" jsonschema:"description=JSON to send instead of the message. Its texts are templates over the message\\, such as {{.origin.company_id}}."`
	Concurrency      int                        `json:"concurrency,omitempty" jsonschema:"minimum=1,maximum=256,default=8,description=Requests at a time within one write."`
	AllowNetworks    []string                   `json:"allow_networks,omitempty" jsonschema:"description=Private or local networks that may be reached\\, as CIDR\\, e.g. 10.1.0.0/16."`
	Proxy            string                     `json:"proxy,omitempty" jsonschema:"writeOnly=true,description=Proxy for all requests. The environment is not looked at."`
	MaxResponseBytes int64                      `json:"max_response_bytes,omitempty" jsonschema:"minimum=1024,default=131072,description=How much of an answer is read."`
}

const maxConcurrency = 256

// options are settings with their defaults, checked.
type options struct {
	url         *url.URL
	signers     []*standardwebhooks.Webhook
	headers     http.Header
	timeout     time.Duration
	batch       bool
	body        *body // nil: the message itself
	concurrency int
	guard       guard
	proxy       *url.URL
	maxResponse int64
	redact      redact.Secrets
}

// reserved headers are set by this plugin or by the HTTP client.
var reserved = []string{
	"Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Trailer", "Te", "Upgrade",
	"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature",
}

// parseSettings quotes no value in its errors but those that cannot be secret.
func parseSettings(raw json.RawMessage) (options, error) {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return options{}, err
	}
	o := options{
		headers: http.Header{}, timeout: 15 * time.Second, batch: s.Batch, concurrency: 8, maxResponse: 128 << 10,
		redact: secretsOf(s),
	}
	if o.url, err = parseURL("url", s.URL, "http", "https"); err != nil {
		return options{}, err
	}
	if s.Proxy != "" {
		if o.proxy, err = parseURL("proxy", s.Proxy, "http", "https", "socks5"); err != nil {
			return options{}, err
		}
	}
	if o.body, err = parseBody(s.Body); err != nil {
		return options{}, err
	}
	if o.body != nil && o.batch {
		return options{}, errors.New("settings body and batch: a body is for one message; leave one of them out")
	}
	for i, secret := range s.allSecrets() {
		key, ok := strings.CutPrefix(secret, "whsec_")
		signer, err := standardwebhooks.NewWebhook(secret)
		if err != nil || !ok || len(key) < 16 {
			return options{}, fmt.Errorf(`signing secret %d: use whsec_ and at least 12 bytes in base64 (make one with: echo "whsec_$(openssl rand -base64 32)")`, i+1)
		}
		o.signers = append(o.signers, signer)
	}
	for name, value := range s.Headers {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if !isToken(name) || slices.Contains(reserved, canonical) {
			return options{}, fmt.Errorf("setting headers: %q cannot be set", name)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return options{}, fmt.Errorf("setting headers: the value of %q has a control character (a line break at the end of a secret's file?)", name)
		}
		o.headers.Set(canonical, value)
	}
	if s.Timeout != "" {
		if o.timeout, err = time.ParseDuration(s.Timeout); err != nil || o.timeout <= 0 {
			return options{}, errors.New("setting timeout: give a duration such as 15s")
		}
	}
	if s.Concurrency != 0 {
		if o.concurrency = s.Concurrency; o.concurrency < 1 || o.concurrency > maxConcurrency {
			return options{}, fmt.Errorf("setting concurrency: use 1 to %d", maxConcurrency)
		}
	}
	if s.MaxResponseBytes != 0 {
		if o.maxResponse = s.MaxResponseBytes; o.maxResponse < 1024 {
			return options{}, errors.New("setting max_response_bytes: use 1024 or more")
		}
	}
	o.guard, err = newGuard(s.AllowNetworks)
	return o, err
}

func (s *settings) allSecrets() []string {
	if s.Secret == "" {
		return s.Secrets
	}
	return append([]string{s.Secret}, s.Secrets...)
}

// parseURL never quotes the URL: it may hold a password or a token.
func parseURL(setting, text string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme) {
		return nil, fmt.Errorf("setting %s: give an absolute URL with %s://", setting, strings.Join(schemes, ":// or "))
	}
	if u.Fragment != "" {
		return nil, fmt.Errorf("setting %s: take out the part after #", setting)
	}
	return u, nil
}

func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// newGuard reads the networks that may be reached although they are private.
func newGuard(networks []string) (guard, error) {
	var g guard
	for _, text := range networks {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return guard{}, fmt.Errorf("setting allow_networks: %q is no network such as 10.1.0.0/16", text)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		g.allowed = append(g.allowed, prefix.Masked())
	}
	return g, nil
}
