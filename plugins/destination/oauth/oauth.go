// Package oauth keeps an OAuth 2 token for a plugin: it is got when it is needed,
// renewed when it runs out or is refused, shared by all calls, and never in an
// error.
package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
)

// Fetch gets a new token from the token endpoint.
type Fetch func(context.Context) (*oauth2.Token, error)

// ClientCredentials gets tokens for the plugin itself. client is the HTTP client
// to use; nil: the default one.
func ClientCredentials(c clientcredentials.Config, client *http.Client) Fetch {
	return func(ctx context.Context) (*oauth2.Token, error) { return c.Token(with(ctx, client)) }
}

// RefreshToken gets tokens by a refresh token, which the server may replace.
func RefreshToken(c oauth2.Config, refresh string, client *http.Client) Fetch {
	return func(ctx context.Context) (*oauth2.Token, error) {
		t, err := c.TokenSource(with(ctx, client), &oauth2.Token{RefreshToken: refresh}).Token()
		if err == nil && t.RefreshToken != "" {
			refresh = t.RefreshToken
		}
		return t, err
	}
}

func with(ctx context.Context, client *http.Client) context.Context {
	if client == nil {
		return ctx
	}
	return context.WithValue(ctx, oauth2.HTTPClient, client)
}

// Tokens holds the token that all calls share.
type Tokens struct {
	fetch   Fetch
	gate    chan struct{} // one fetch at a time: servers refuse concurrent ones
	current *oauth2.Token // by gate
}

// New returns tokens that come from fetch, which is called once at a time.
func New(fetch Fetch) *Tokens {
	return &Tokens{fetch: fetch, gate: make(chan struct{}, 1)}
}

// Get returns a token that is valid as far as is known. refused is one that a
// server did not take, or nil: it is not returned again. An error is one of the
// token endpoint, as it is: [Explain] says what it means.
func (t *Tokens) Get(ctx context.Context, refused *oauth2.Token) (*oauth2.Token, error) {
	select {
	case t.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-t.gate }()
	// Another call may have replaced the refused one already.
	if t.current.Valid() && t.current != refused {
		return t.current, nil
	}
	t.current = nil
	token, err := t.fetch(ctx)
	if err != nil {
		return nil, err
	}
	t.current = token
	return token, nil
}

// Refusal is what a token endpoint answered.
type Refusal struct {
	Status      int
	Header      http.Header
	Code        string // of the protocol, such as invalid_grant; empty if it has none
	Description string // may echo anything
}

// Refused returns the answer of the token endpoint, if that is what the error is.
func Refused(err error) (Refusal, bool) {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return Refusal{}, false
	}
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(e.Body, &body) // a page of a proxy, perhaps: the status has to do
	r := Refusal{Status: e.Response.StatusCode, Header: e.Response.Header, Description: body.Description}
	if word.MatchString(body.Error) {
		r.Code = body.Error
	}
	return r, true
}

// word keeps anything but a code out of logs.
var word = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

// Explain turns an error of Get into a Failure: credentials that were refused are
// misconfigured, anything else passes. It quotes nothing of the answer but the
// code.
func Explain(ctx context.Context, err error, now time.Time) *destination.Failure {
	refusal, ok := Refused(err)
	if !ok {
		r := httpanswer.Lost(ctx, err)
		return &destination.Failure{Kind: r.Kind, Code: r.Code, Err: errors.New("the token endpoint gave " + r.Message)}
	}
	r := httpanswer.Result(refusal.Status, refusal.Header, now)
	f := &destination.Failure{Kind: r.Kind, Code: r.Code, Until: r.Until}
	text := fmt.Sprintf("no token: the token endpoint answered %d", refusal.Status)
	if refusal.Code != "" {
		f.Code = refusal.Code
		text += " " + refusal.Code
	}
	if f.Kind != destination.Throttled && f.Kind != destination.Retry {
		f.Kind = destination.Misconfigured
		text += ": look at the credentials, and whether they allow this flow"
	}
	f.Err = errors.New(text)
	return f
}

// Transport puts the token into requests, and repeats one that is answered with
// 401 once with a new token.
type Transport struct {
	Tokens *Tokens
	Base   http.RoundTripper // nil: http.DefaultTransport
}

// RoundTrip implements http.RoundTripper. Its errors are those of Tokens.Get and
// of Base.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	var refused *oauth2.Token
	for {
		token, err := t.Tokens.Get(req.Context(), refused)
		if err != nil {
			return nil, err
		}
		again := req.Clone(req.Context()) // a RoundTripper must not change the request
		if req.GetBody != nil {
			if again.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
		token.SetAuthHeader(again)
		resp, err := base.RoundTrip(again)
		repeatable := req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
		if err != nil || resp.StatusCode != http.StatusUnauthorized || refused != nil || !repeatable {
			return resp, err
		}
		_ = resp.Body.Close()
		refused = token
	}
}
