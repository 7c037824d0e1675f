package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/oauth"
)

// newTokens gives the access token: the service key, or one that is got with the
// refresh token and replaced before it ends.
func newTokens(o *options, client *http.Client) *oauth.Tokens {
	if o.Token != "" {
		static := &oauth2.Token{AccessToken: o.Token}
		return oauth.New(func(context.Context) (*oauth2.Token, error) { return static, nil })
	}
	return oauth.New(oauth.RefreshToken(oauth2.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret,
		Endpoint: oauth2.Endpoint{TokenURL: o.base.String() + "/oauth/" + o.APIVersion + "/token", AuthStyle: oauth2.AuthStyleInParams},
	}, o.RefreshToken, client))
}

// refreshError takes the answer out of the error: it may echo the request.
func refreshError(err error) error {
	refusal, ok := oauth.Refused(err)
	if !ok {
		return err // no answer, or a network's
	}
	if refusal.Status == http.StatusTooManyRequests || refusal.Status >= 500 {
		return resultFailure(resultOf(refusal.Status, refusal.Header, errorBody{}, time.Now(), time.UTC))
	}
	return &destination.Failure{
		Kind: destination.Misconfigured, Code: codeRefresh,
		Err: fmt.Errorf("HubSpot refused the refresh token (%d): install the app again, then set client_id, client_secret and refresh_token", refusal.Status),
	}
}
