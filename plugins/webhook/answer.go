package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
	"github.com/sluicehq/sluice/plugins/destination/redact"
)

// codeAddress is the code of an address that must not be dialled. It is stored;
// never rename.
const codeAddress = "address_refused"

// maxQuote is how much of an answer a message quotes.
const maxQuote = 200

// resultOfAnswer says what an HTTP answer means for the records of its request.
func resultOfAnswer(status int, header http.Header, body []byte, secrets redact.Secrets, now time.Time) destination.Result {
	r := httpanswer.Result(status, header, now)
	if r.Kind == destination.Delivered {
		return r
	}
	r.Message = "the endpoint " + r.Message
	if httpanswer.IsRedirect(status) {
		r.Message += " as url"
		if u, err := url.Parse(header.Get("Location")); err == nil && u.Host != "" {
			r.Message += " (it redirects to the host " + secrets.Quote(u.Hostname(), maxQuote) + ")"
		}
	} else if quote := secrets.Quote(string(body), maxQuote); quote != "" {
		r.Message += ": " + quote
	}
	return r
}

// resultOfError says what an error before the answer means.
func resultOfError(ctx context.Context, err error, secrets redact.Secrets) destination.Result {
	if e, ok := errors.AsType[*refusedError](err); ok {
		return destination.Result{Kind: destination.Misconfigured, Code: codeAddress, Message: e.Error()}
	}
	r := httpanswer.Lost(ctx, err)
	r.Message = secrets.Quote(r.Message, maxQuote)
	return r
}

func cancelled() destination.Result {
	return destination.Result{Kind: destination.Retry, Code: httpanswer.CodeCancelled, Message: "the write was cancelled before the answer"}
}

// secretsOf are the secrets of the settings, also where they are a part of one.
func secretsOf(s settings) redact.Secrets {
	var r redact.Secrets
	for _, secret := range s.allSecrets() {
		r.Add(secret)
		r.Add(strings.TrimPrefix(secret, "whsec_"))
	}
	for _, value := range s.Headers {
		r.Add(value)
		for word := range strings.FieldsSeq(value) {
			r.Add(word)
		}
	}
	for _, text := range []string{s.URL, s.Proxy} {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		if password, ok := u.User.Password(); ok {
			r.Add(password)
		}
		r.Add(u.User.Username())
		r.Add(u.RawQuery)
		for _, values := range u.Query() {
			for _, value := range values {
				r.Add(value)
			}
		}
		// Many services put the token into the path.
		for part := range strings.SplitSeq(u.EscapedPath(), "/") {
			if len(part) >= 16 {
				r.Add(part)
			}
		}
	}
	return r
}
