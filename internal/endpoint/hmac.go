package endpoint

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const defaultTolerance = 5 * time.Minute

// HMACAuth is a signature over the body in a header. It covers the body as it
// is after decompression.
type HMACAuth struct {
	Header          string
	Secrets         []string      // any of them may have signed
	Algorithm       string        // sha256 (default) or sha512
	Encoding        string        // hex (default), base64 or base64url; padding is optional
	Prefix          string        // before the signature
	Signed          string        // over {body}, {timestamp} and {id}; default {body}
	TimestampHeader string        // Unix seconds or RFC 3339
	IDHeader        string        // id of the message
	Tolerance       time.Duration // of the timestamp, both ways; default 5m
}

// HMAC accepts requests with a signature by one of the secrets.
func HMAC(o HMACAuth) (Authenticator, error) {
	a := &hmacAuth{prefix: o.Prefix, tolerance: o.Tolerance}
	var err error
	if a.header, err = headerKey(o.Header); err != nil {
		return nil, fmt.Errorf("hmac: %w", err)
	}
	switch o.Algorithm {
	case "", "sha256":
		a.newHash, a.size = sha256.New, sha256.Size
	case "sha512":
		a.newHash, a.size = sha512.New, sha512.Size
	default:
		return nil, fmt.Errorf("hmac: algorithm %q is neither sha256 nor sha512", o.Algorithm)
	}
	switch o.Encoding {
	case "", "hex":
		a.decode = hex.DecodeString
	case "base64":
		a.decode = unpadded(base64.RawStdEncoding)
	case "base64url":
		a.decode = unpadded(base64.RawURLEncoding)
	default:
		return nil, fmt.Errorf("hmac: encoding %q is not hex, base64 or base64url", o.Encoding)
	}
	if len(o.Secrets) == 0 {
		return nil, errors.New("hmac: no secret")
	}
	for i, secret := range o.Secrets {
		if strings.TrimSpace(secret) == "" {
			return nil, fmt.Errorf("hmac: secret %d is empty", i+1)
		}
		if hasLineBreak(secret) {
			return nil, fmt.Errorf("hmac: secret %d begins or ends with a line break; remove it", i+1)
		}
		a.secrets = append(a.secrets, []byte(secret))
	}
	switch {
	case o.Tolerance < 0:
		return nil, errors.New("hmac: the tolerance is negative")
	case o.Tolerance == 0:
		a.tolerance = defaultTolerance
	}
	if err := a.readTemplate(o); err != nil {
		return nil, fmt.Errorf("hmac: %w", err)
	}
	return a, nil
}

type hmacAuth struct {
	header          string
	secrets         [][]byte
	newHash         func() hash.Hash
	size            int
	decode          func(string) ([]byte, error)
	prefix          string
	signed          []part
	timestampHeader string // "" if no timestamp is signed
	idHeader        string
	tolerance       time.Duration
}

// part of the signed template: a placeholder, or text between them.
type part struct {
	placeholder string
	literal     string
}

// readTemplate refuses templates that do not protect what they seem to: without
// the body, or with a timestamp or an id that the signature does not cover.
func (a *hmacAuth) readTemplate(o HMACAuth) error {
	template := o.Signed
	if template == "" {
		template = "{body}"
	}
	seen := map[string]bool{}
	for rest := template; rest != ""; {
		open := strings.IndexByte(rest, '{')
		if open != 0 {
			if open < 0 {
				open = len(rest)
			}
			a.signed = append(a.signed, part{literal: rest[:open]})
			rest = rest[open:]
			continue
		}
		end := strings.IndexByte(rest, '}')
		name := ""
		if end > 0 {
			name = rest[1:end]
		}
		switch name {
		case "body", "timestamp", "id":
		default:
			return fmt.Errorf("signed %q: only {body}, {timestamp} and {id} can stand in braces", template)
		}
		if seen[name] {
			return fmt.Errorf("signed %q: {%s} occurs twice", template, name)
		}
		seen[name] = true
		a.signed = append(a.signed, part{placeholder: name})
		rest = rest[end+1:]
	}
	if !seen["body"] {
		return fmt.Errorf("signed %q: without {body} the signature would fit any body", template)
	}
	var err error
	if a.timestampHeader, err = optionalHeader("timestamp", o.TimestampHeader, seen["timestamp"]); err != nil {
		return err
	}
	a.idHeader, err = optionalHeader("id", o.IDHeader, seen["id"])
	return err
}

func optionalHeader(what, name string, used bool) (string, error) {
	switch {
	case name == "" && !used:
		return "", nil
	case name == "":
		return "", fmt.Errorf("{%s} is signed, but no %s header is named", what, what)
	case !used:
		return "", fmt.Errorf("a %s header is named, but {%s} is not signed: anybody could change it", what, what)
	}
	return headerKey(name)
}

func (a *hmacAuth) CheckHeader(h http.Header, now time.Time) error {
	if _, err := a.signature(h); err != nil {
		return err
	}
	if a.idHeader != "" {
		if _, err := single(h, a.idHeader); err != nil {
			return err
		}
	}
	if a.timestampHeader == "" {
		return nil
	}
	value, err := single(h, a.timestampHeader)
	if err != nil {
		return err
	}
	return checkTimestamp(a.timestampHeader, value, now, a.tolerance)
}

func (a *hmacAuth) CheckBody(h http.Header, body []byte, _ time.Time) error {
	got, err := a.signature(h)
	if err != nil {
		return err
	}
	matches := false
	for _, secret := range a.secrets {
		if hmac.Equal(got, a.sign(secret, h, body)) {
			matches = true
		}
	}
	if !matches {
		return fmt.Errorf("the signature in header %s does not fit the body", a.header)
	}
	return nil
}

func (a *hmacAuth) signature(h http.Header) ([]byte, error) {
	value, err := single(h, a.header)
	if err != nil {
		return nil, err
	}
	encoded, ok := strings.CutPrefix(value, a.prefix)
	if !ok {
		return nil, fmt.Errorf("header %s does not begin with the prefix", a.header)
	}
	signature, err := a.decode(encoded)
	if err != nil || len(signature) != a.size {
		return nil, fmt.Errorf("header %s is not a signature in the expected encoding", a.header)
	}
	return signature, nil
}

func (a *hmacAuth) sign(secret []byte, h http.Header, body []byte) []byte {
	mac := hmac.New(a.newHash, secret)
	for _, p := range a.signed {
		switch p.placeholder {
		case "body":
			mac.Write(body)
		case "timestamp":
			_, _ = io.WriteString(mac, h.Get(a.timestampHeader))
		case "id":
			_, _ = io.WriteString(mac, h.Get(a.idHeader))
		default:
			_, _ = io.WriteString(mac, p.literal)
		}
	}
	return mac.Sum(nil)
}

// checkTimestamp judges a time of signing, in Unix seconds or RFC 3339.
func checkTimestamp(header, value string, now time.Time, tolerance time.Duration) error {
	at, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		seconds, err := strconv.ParseUint(value, 10, 36) // to the year 4147
		if err != nil {
			return fmt.Errorf("header %s is neither Unix seconds nor RFC 3339", header)
		}
		at = time.Unix(int64(seconds), 0)
	}
	if now.Sub(at).Abs() > tolerance {
		return fmt.Errorf("header %s is off by more than %s: an old request again, or a wrong clock", header, tolerance)
	}
	return nil
}

func unpadded(encoding *base64.Encoding) func(string) ([]byte, error) {
	strict := encoding.Strict()
	return func(s string) ([]byte, error) { return strict.DecodeString(strings.TrimRight(s, "=")) }
}

func headerKey(name string) (string, error) {
	return http.CanonicalHeaderKey(name), checkHeaderName(name)
}
