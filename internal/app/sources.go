package app

import (
	"fmt"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/endpoint"
	"github.com/sluicehq/sluice/internal/rootfi"
)

// sources makes the endpoint's sources of the configured ones.
func sources(c *config.Config) (map[string]endpoint.Source, error) {
	out := make(map[string]endpoint.Source, len(c.Sources))
	for name, s := range c.Sources {
		got := endpoint.Source{Parse: rootfi.Parse, Anonymous: s.Auth.None || len(s.Auth.Entries) == 0}
		if l := s.RateLimit; l != nil {
			got.RateLimit = endpoint.RateLimit{PerSecond: float64(l.PerSecond), Burst: l.Burst}
		}
		for i, e := range s.Auth.Entries {
			a, err := authenticator(e)
			if err != nil {
				return nil, fmt.Errorf("sources.%s.auth[%d]: %w", name, i, err)
			}
			got.Authenticate = append(got.Authenticate, a)
		}
		out[name] = got
	}
	return out, nil
}

func authenticator(e config.AuthEntry) (endpoint.Authenticator, error) {
	switch {
	case e.Header != nil:
		return endpoint.Header(endpoint.HeaderAuth(*e.Header))
	case e.Basic != nil:
		return endpoint.Basic(endpoint.BasicAuth(*e.Basic))
	case e.HMAC != nil:
		return endpoint.HMAC(endpoint.HMACAuth(*e.HMAC))
	case e.StandardWebhooks != nil:
		return endpoint.StandardWebhooks(endpoint.StandardWebhooksAuth(*e.StandardWebhooks))
	default:
		return nil, fmt.Errorf("an empty entry")
	}
}
