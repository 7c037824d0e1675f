package endpoint

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Authenticator is one proof of origin. Its errors say what is wrong without
// quoting the request; they are logged and never sent.
type Authenticator interface {
	// CheckHeader judges all that can be judged without the body.
	CheckHeader(h http.Header, now time.Time) error
	// CheckBody judges the rest. It is called after CheckHeader passed.
	CheckBody(h http.Header, body []byte, now time.Time) error
}

// HeaderAuth is a header with a fixed value.
type HeaderAuth struct {
	Name  string
	Value string
}

// Header accepts requests that carry the header once, with exactly that value.
func Header(o HeaderAuth) (Authenticator, error) {
	if err := checkHeaderName(o.Name); err != nil {
		return nil, err
	}
	if err := checkHeaderValue("value", o.Value); err != nil {
		return nil, fmt.Errorf("header %s: %w", o.Name, err)
	}
	return &headerAuth{name: o.Name, key: http.CanonicalHeaderKey(o.Name), want: sha256.Sum256([]byte(o.Value))}, nil
}

type headerAuth struct {
	name, key string
	want      [sha256.Size]byte
}

func (a *headerAuth) CheckHeader(h http.Header, _ time.Time) error {
	value, err := single(h, a.key)
	if err != nil {
		return err
	}
	if !equal(value, &a.want) {
		return fmt.Errorf("header %s has another value", a.name)
	}
	return nil
}

func (*headerAuth) CheckBody(http.Header, []byte, time.Time) error { return nil }

// BasicAuth is HTTP basic authentication.
type BasicAuth struct {
	Username string
	Password string
}

// Basic accepts requests with this user name and password.
func Basic(o BasicAuth) (Authenticator, error) {
	switch {
	case o.Username == "" || o.Password == "":
		return nil, errors.New("basic: user name and password are both needed")
	case strings.Contains(o.Username, ":"):
		return nil, errors.New("basic: a user name cannot contain a colon")
	case hasLineBreak(o.Username) || hasLineBreak(o.Password):
		return nil, errors.New("basic: user name or password begins or ends with a line break; remove it")
	}
	return &basicAuth{username: sha256.Sum256([]byte(o.Username)), password: sha256.Sum256([]byte(o.Password))}, nil
}

type basicAuth struct {
	username, password [sha256.Size]byte
}

func (a *basicAuth) CheckHeader(h http.Header, _ time.Time) error {
	if _, err := single(h, "Authorization"); err != nil {
		return err
	}
	r := http.Request{Header: h}
	username, password, ok := r.BasicAuth()
	if !ok {
		return errors.New("header Authorization is not basic authentication")
	}
	// Both, always: the time taken must not tell which one is right.
	username1, password1 := equal(username, &a.username), equal(password, &a.password)
	if !username1 || !password1 {
		return errors.New("user name or password is another")
	}
	return nil
}

func (*basicAuth) CheckBody(http.Header, []byte, time.Time) error { return nil }

// equal compares in a time that depends on neither the length nor the contents
// of what is expected.
func equal(got string, want *[sha256.Size]byte) bool {
	sum := sha256.Sum256([]byte(got))
	return subtle.ConstantTimeCompare(sum[:], want[:]) == 1
}

// single returns the value of a header that must occur once: with several, what
// was checked here might not be what somebody else looked at.
func single(h http.Header, key string) (string, error) {
	switch values := h[key]; {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", fmt.Errorf("header %s is missing", key)
	case len(values) > 1:
		return "", fmt.Errorf("header %s occurs more than once", key)
	default:
		return values[0], nil
	}
}

// checkHeaderName refuses names that no request can be found to carry.
func checkHeaderName(name string) error {
	if name == "" {
		return errors.New("header: no name")
	}
	for _, c := range []byte(name) {
		isToken := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
		if !isToken {
			return fmt.Errorf("header: %q is not the name of a header", name)
		}
	}
	switch http.CanonicalHeaderKey(name) {
	case "Host", "Transfer-Encoding", "Trailer", "Connection", "Content-Length":
		return fmt.Errorf("header: %s belongs to HTTP itself, choose another one", name)
	}
	return nil
}

// checkHeaderValue refuses values that would never match, for HTTP takes white
// space off and forbids control characters. A line break at the end of a file
// with a secret is the usual case.
func checkHeaderValue(what, value string) error {
	switch {
	case value == "":
		return fmt.Errorf("the %s is empty", what)
	case strings.TrimSpace(value) != value:
		return fmt.Errorf("the %s begins or ends with white space, perhaps a line break; remove it", what)
	case strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }):
		return fmt.Errorf("the %s has control characters", what)
	}
	return nil
}

// hasLineBreak recognises a secret that was read from a file with its line end.
func hasLineBreak(s string) bool { return strings.Trim(s, "\r\n") != s }
