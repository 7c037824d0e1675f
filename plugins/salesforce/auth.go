package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/oauth"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"
)

// grant is a token and the server that takes it.
type grant struct {
	*oauth2.Token
	instance string // without a slash at the end
}

// session holds the grant that all calls share. Salesforce does not say how long
// a token lives: it is used until it is refused.
type session struct {
	tokens  *oauth.Tokens
	options options
	now     func() time.Time
}

func newSession(o options, h *http.Client) *session {
	tokenURL := o.login.Scheme + "://" + o.login.Host + "/services/oauth2/token"
	var fetch oauth.Fetch
	switch o.Auth {
	case authJWT:
		c := jwt.Config{
			Email: o.ClientID, PrivateKey: []byte(o.PrivateKey), Subject: o.Username, TokenURL: tokenURL,
			Audience: o.Audience, Expires: 3 * time.Minute,
		}
		fetch = func(ctx context.Context) (*oauth2.Token, error) {
			return c.TokenSource(context.WithValue(ctx, oauth2.HTTPClient, h)).Token()
		}
	case authRefreshToken:
		fetch = oauth.RefreshToken(oauth2.Config{
			ClientID: o.ClientID, ClientSecret: o.ClientSecret,
			Endpoint: oauth2.Endpoint{TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInParams},
		}, o.RefreshToken, h)
	default:
		fetch = oauth.ClientCredentials(clientcredentials.Config{
			ClientID: o.ClientID, ClientSecret: o.ClientSecret, TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInParams,
		}, h)
	}
	return &session{tokens: oauth.New(fetch), options: o, now: time.Now}
}

// grant returns the current grant, or a new one if the current is the stale one.
func (s *session) grant(ctx context.Context, stale *grant) (*grant, *destination.Failure) {
	var refused *oauth2.Token
	if stale != nil {
		refused = stale.Token
	}
	token, err := s.tokens.Get(ctx, refused)
	if err != nil {
		return nil, s.failure(ctx, err)
	}
	instance, _ := token.Extra("instance_url").(string)
	u, err := url.Parse(instance)
	if err != nil || u.Host == "" || !secure(u) {
		return nil, &destination.Failure{
			Kind: destination.Misconfigured, Code: "instance_url",
			Err: errors.New("the token came without a usable instance_url; is login_url a Salesforce server?"),
		}
	}
	return &grant{Token: token, instance: strings.TrimSuffix(instance, "/")}, nil
}

// failure says what an error of the token endpoint means.
func (s *session) failure(ctx context.Context, err error) *destination.Failure {
	refusal, ok := oauth.Refused(err)
	if !ok || ctx.Err() != nil {
		return noAnswer(ctx, err, &s.options)
	}
	status := refusal.Status
	code := cmp.Or(refusal.Code, fmt.Sprintf("http_%d", status))
	f := &destination.Failure{Kind: destination.Misconfigured, Code: code}
	text := "Salesforce gave no token: " + code
	if refusal.Description != "" {
		text += ": " + s.options.quote(refusal.Description)
	}
	description := strings.ToLower(refusal.Description)
	switch {
	case status == http.StatusTooManyRequests, strings.Contains(description, "login rate exceeded"):
		f.Kind, f.Until = destination.Throttled, s.now().Add(time.Minute)
	case status >= http.StatusInternalServerError,
		// Two refreshes at a time, perhaps by another program with this app.
		strings.Contains(description, "already being processed"), strings.Contains(description, "expired authorization code"):
		f.Kind = destination.Retry
	default:
		text += " (look at auth, login_url and the credentials, and whether the app allows this flow)"
	}
	f.Err = errors.New(text)
	return f
}
