package endpoint

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// StandardWebhooksAuth is the scheme of standardwebhooks.com.
type StandardWebhooksAuth struct {
	Secrets []string // whsec_…; any of them may have signed
}

// StandardWebhooks accepts requests signed by one of the secrets within the last
// five minutes.
func StandardWebhooks(o StandardWebhooksAuth) (Authenticator, error) {
	if len(o.Secrets) == 0 {
		return nil, errors.New("standard webhooks: no secret")
	}
	a := &standardAuth{}
	for i, secret := range o.Secrets {
		// The library would take an empty key and then accept what anybody signs.
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(key) == 0 {
			return nil, fmt.Errorf("standard webhooks: secret %d is not base64 after whsec_", i+1)
		}
		webhook, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			return nil, fmt.Errorf("standard webhooks: secret %d cannot be used", i+1)
		}
		a.webhooks = append(a.webhooks, webhook)
	}
	return a, nil
}

type standardAuth struct {
	webhooks []*standardwebhooks.Webhook
}

var standardHeaders = []string{
	http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookID),
	http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookTimestamp),
	http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookSignature),
}

func (a *standardAuth) CheckHeader(h http.Header, now time.Time) error {
	for _, key := range standardHeaders {
		if _, err := single(h, key); err != nil {
			return err
		}
	}
	// Checked here rather than by the library: before the body is read, and by
	// the endpoint's clock.
	return checkTimestamp(standardHeaders[1], h.Get(standardHeaders[1]), now, defaultTolerance)
}

func (a *standardAuth) CheckBody(h http.Header, body []byte, _ time.Time) error {
	for _, webhook := range a.webhooks {
		if webhook.VerifyIgnoringTimestamp(body, h) == nil {
			return nil
		}
	}
	return errors.New("the signature in header Webhook-Signature does not fit the body")
}
