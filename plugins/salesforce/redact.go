package main

import "github.com/sluicehq/sluice/plugins/destination/redact"

// maxQuote is how much of what Salesforce says a message quotes.
const maxQuote = 300

// quote returns the beginning of a text on one line, without the secrets of the
// settings and without these further ones.
func (o *options) quote(text string, further ...string) string {
	return o.secrets.Quote(text, maxQuote, further...)
}

func secretsOf(s settings) redact.Secrets {
	return redact.New(s.ClientSecret, s.RefreshToken, s.PrivateKey)
}
