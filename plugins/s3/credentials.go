package main

import (
	"errors"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/sluicehq/sluice/plugins/destination/redact"
)

// source is a place where credentials may be.
type source struct {
	name     string
	named    bool // in the environment; otherwise the machine is asked, which may have none
	provider credentials.Provider
}

func environment() source {
	return source{"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", false, &credentials.EnvAWS{}}
}

// role is that of a service account or a container if the environment names one,
// and otherwise the machine's.
func role(region string) source {
	iam := &credentials.IAM{Region: region}
	if os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		iam.Endpoint = os.Getenv("AWS_ENDPOINT_URL_STS") // the library does not read it, the tools of AWS do
	}
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if os.Getenv(name) != "" {
			return source{"the role of " + name, true, iam}
		}
	}
	return source{"the role of the machine", false, iam}
}

// sources is a [credentials.Provider] that asks sources in their order. The
// library's own chain goes on without credentials when none has any, and drops
// what they said.
type sources struct {
	list    []source
	secrets *secrets
	current credentials.Provider // guarded by the library, which asks one at a time
}

// sourcesError says why no source had credentials.
type sourcesError struct {
	text   string
	passes bool // a source that should have some did not answer
}

func (e *sourcesError) Error() string { return e.text }

// RetrieveWithCredContext implements [credentials.Provider].
func (s *sources) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	var said []string
	passes := false
	for _, from := range s.list {
		v, err := from.provider.RetrieveWithCredContext(cc)
		if err == nil && v.AccessKeyID != "" && v.SecretAccessKey != "" {
			s.current = from.provider
			s.secrets.retrieved(v)
			return v, nil
		}
		text := "not set"
		if err != nil {
			if e, ok := errors.AsType[*url.Error](err); ok {
				err, passes = e.Err, passes || from.named
			}
			text = redact.New(tokens()...).Quote(err.Error(), 300)
		}
		said = append(said, from.name+": "+text)
	}
	return credentials.Value{}, &sourcesError{strings.Join(said, "; "), passes}
}

// Retrieve implements [credentials.Provider].
func (s *sources) Retrieve() (credentials.Value, error) { return s.RetrieveWithCredContext(nil) }

// IsExpired implements [credentials.Provider].
func (s *sources) IsExpired() bool { return s.current == nil || s.current.IsExpired() }

// tokens are what is shown to those who give credentials of a role.
func tokens() []string {
	list := []string{os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN")}
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"} {
		if token, err := os.ReadFile(os.Getenv(name)); err == nil {
			list = append(list, strings.TrimSpace(string(token)))
		}
	}
	return list
}

// secrets are what no message may quote: some stores echo them.
type secrets struct {
	settings redact.Secrets

	mu sync.Mutex
	// last are those of the last credentials and the ones before, with which
	// requests may still be on their way.
	last []string
}

func (s *secrets) retrieved(v credentials.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = append([]string{v.SecretAccessKey, v.SessionToken}, s.last[:min(len(s.last), 2)]...)
}

func (s *secrets) clean(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings.Clean(text, s.last...)
}
