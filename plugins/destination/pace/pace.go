// Package pace keeps a plugin's requests within the rate that a system allows, so
// that it is not asked to wait in the first place.
package pace

import (
	"fmt"
	"net/http"

	"golang.org/x/time/rate"
)

// Transport lets requests through at a rate. Those that would not get their turn
// before their deadline fail at once.
type Transport struct {
	limit *rate.Limiter
	base  http.RoundTripper
}

// New returns a transport of so many requests per second before base; nil: before
// http.DefaultTransport. As many may go at once after a time of rest.
func New(perSecond int, base http.RoundTripper) *Transport {
	if base == nil {
		base = http.DefaultTransport
	}
	return &Transport{limit: rate.NewLimiter(rate.Limit(perSecond), perSecond), base: base}
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.limit.Wait(req.Context()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as a RoundTripper must
		}
		return nil, fmt.Errorf("wait for a turn within the rate: %w", err)
	}
	return t.base.RoundTrip(req)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
