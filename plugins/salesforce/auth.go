package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/oauth2/jwt"
)

// grant is a token and the server that takes it.
type grant struct {
	token    string
	instance string // without a slash at the end
}

// session holds the grant that all calls share. Salesforce does not say how long
// a token lives: it is used until it is refused.
type session struct {
	fetch   func(context.Context) (*oauth2.Token, error)
	options options
	gate    chan struct{} // one at a time: concurrent refreshes are refused
	current *grant        // by gate
	now     func() time.Time
}

func newSession(o options, h *http.Client) *session {
	s := &session{options: o, gate: make(chan struct{}, 1), now: time.Now}
	tokenURL := o.login.Scheme + "://" + o.login.Host + "/services/oauth2/token"
	with := func(ctx context.Context) context.Context { return context.WithValue(ctx, oauth2.HTTPClient, h) }
	switch o.Auth {
	case authJWT:
		c := jwt.Config{
			Email: o.ClientID, PrivateKey: []byte(o.PrivateKey), Subject: o.Username, TokenURL: tokenURL,
			Audience: o.Audience, Expires: 3 * time.Minute,
		}
		s.fetch = func(ctx context.Context) (*oauth2.Token, error) { return c.TokenSource(with(ctx)).Token() }
	case authRefreshToken:
		c := oauth2.Config{
			ClientID: o.ClientID, ClientSecret: o.ClientSecret,
			Endpoint: oauth2.Endpoint{TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInParams},
		}
		refresh := o.RefreshToken
		s.fetch = func(ctx context.Context) (*oauth2.Token, error) {
			t, err := c.TokenSource(with(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
			if err == nil && t.RefreshToken != "" {
				refresh = t.RefreshToken // rotated
			}
			return t, err
		}
	default:
		c := clientcredentials.Config{
			ClientID: o.ClientID, ClientSecret: o.ClientSecret, TokenURL: tokenURL, AuthStyle: oauth2.AuthStyleInParams,
		}
		s.fetch = func(ctx context.Context) (*oauth2.Token, error) { return c.Token(with(ctx)) }
	}
	return s
}

// grant returns the current grant, or a new one if the current is the stale one.
func (s *session) grant(ctx context.Context, stale *grant) (*grant, *destination.Failure) {
	select {
	case s.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, noAnswer(ctx, ctx.Err(), s.options.redact)
	}
	defer func() { <-s.gate }()
	if s.current != nil && s.current != stale {
		return s.current, nil
	}
	s.current = nil
	token, err := s.fetch(ctx)
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
	s.current = &grant{token: token.AccessToken, instance: strings.TrimSuffix(instance, "/")}
	return s.current, nil
}

// failure says what an error of the token endpoint means.
func (s *session) failure(ctx context.Context, err error) *destination.Failure {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || ctx.Err() != nil {
		return noAnswer(ctx, err, s.options.redact)
	}
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(refused.Body, &body) // a page of a proxy, perhaps: the status has to do
	status := refused.Response.StatusCode
	code := safeCode(body.Error, fmt.Sprintf("http_%d", status))
	f := &destination.Failure{Kind: destination.Misconfigured, Code: code}
	text := "Salesforce gave no token: " + code
	if body.Description != "" {
		text += ": " + s.options.redact.quote(body.Description)
	}
	description := strings.ToLower(body.Description)
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
