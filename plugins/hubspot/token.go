package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/sluicehq/sluice/plugins/destination"
)

// tokens gives the access token: the service key, or one that is got with the
// refresh token and replaced before it ends.
type tokens struct {
	static string
	oauth  *oauth2.Config
	http   *http.Client

	mu      sync.Mutex
	current *oauth2.Token
	refresh string // HubSpot may replace it
}

func newTokens(o *options, client *http.Client) *tokens {
	t := &tokens{static: o.Token, http: client, refresh: o.RefreshToken}
	if o.Token == "" {
		t.oauth = &oauth2.Config{
			ClientID: o.ClientID, ClientSecret: o.ClientSecret,
			Endpoint: oauth2.Endpoint{TokenURL: o.base.String() + "/oauth/" + o.APIVersion + "/token", AuthStyle: oauth2.AuthStyleInParams},
		}
	}
	return t
}

// get returns a token that is valid as far as is known here.
func (t *tokens) get(ctx context.Context) (string, error) {
	if t.oauth == nil {
		return t.static, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.Valid() {
		return t.current.AccessToken, nil
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, t.http)
	token, err := t.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: t.refresh}).Token()
	if err != nil {
		return "", refreshError(err)
	}
	t.current = token
	if token.RefreshToken != "" {
		t.refresh = token.RefreshToken
	}
	return token.AccessToken, nil
}

// drop forgets a token that HubSpot refused. It reports whether another one can
// be got.
func (t *tokens) drop(refused string) bool {
	if t.oauth == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// Another call may have replaced it already.
	if t.current != nil && t.current.AccessToken == refused {
		t.current = nil
	}
	return true
}

// refreshError takes the answer out of the error: it may echo the request.
func refreshError(err error) error {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return err // no answer, or a network's
	}
	status := e.Response.StatusCode
	if status == http.StatusTooManyRequests || status >= 500 {
		return resultFailure(resultOf(status, e.Response.Header, errorBody{}, time.Now(), time.UTC))
	}
	return &destination.Failure{
		Kind: destination.Misconfigured, Code: codeRefresh,
		Err: fmt.Errorf("HubSpot refused the refresh token (%d): install the app again, then set client_id, client_secret and refresh_token", status),
	}
}
