package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

const (
	sessionToken = "token-of-the-session"
	identity     = "identity-of-the-service-account"
	roleARN      = "arn:aws:iam::123456789012:role/lake"
)

// issuer gives credentials that last for a while: of a container under
// /container, and to who shows an identity under /.
type issuer struct {
	url      string
	lifetime time.Duration
	given    atomic.Int32
}

func newIssuer(t *testing.T, lifetime time.Duration) *issuer {
	i := &issuer{lifetime: lifetime}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /container", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != identity {
			http.Error(w, "refused: "+r.Header.Get("Authorization"), http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{ // the client went away
			"AccessKeyId": accessKey, "SecretAccessKey": secretKey, "Token": sessionToken, "Expiration": i.expiration(),
		})
	})
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("RoleArn") != roleARN || r.FormValue("WebIdentityToken") != identity {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code>`+
				`<Message>%s may not have this role</Message></Error></ErrorResponse>`, r.FormValue("WebIdentityToken"))
			return
		}
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>`+
			`<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
			`</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, accessKey, secretKey, sessionToken, i.expiration())
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) expiration() string {
	i.given.Add(1)
	return time.Now().Add(i.lifetime).UTC().Format(time.RFC3339)
}

// Credentials come from the environment that the configuration gives the
// plugin's process, and from nothing else of the host's.
func TestCredentials(t *testing.T) {
	binary := hosttest.Build(t, ".", "s3")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDOFTHEHOST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-host")
	i := newIssuer(t, time.Hour)
	gone := httptest.NewServer(nil)
	gone.Close()
	static := map[string]string{"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_SESSION_TOKEN": sessionToken}
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	account := func(token, sts string) map[string]string {
		return map[string]string{"AWS_ROLE_ARN": roleARN, "AWS_WEB_IDENTITY_TOKEN_FILE": file(token), "AWS_ENDPOINT_URL_STS": sts}
	}
	container := func(token, address string) map[string]string {
		return map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": address + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN": token}
	}
	const wrong = "another-identity"
	for name, tc := range map[string]struct {
		credentials string
		env         map[string]string
		kind        destination.ResultKind
		says        string // of what is refused
	}{
		"env":                {"env", static, destination.Delivered, ""},
		"env without":        {"env", nil, destination.Misconfigured, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: not set"},
		"auto takes env":     {"auto", static, destination.Delivered, ""},
		"auto by default":    {"", container(identity, i.url), destination.Delivered, ""},
		"auto without":       {"auto", container(wrong, i.url), destination.Misconfigured, "not set; the role of AWS_CONTAINER_CREDENTIALS_FULL_URI: 403"},
		"container":          {"role", container(identity, i.url), destination.Delivered, ""},
		"service account":    {"role", account(identity, i.url), destination.Delivered, ""},
		"another account":    {"role", account(wrong, i.url), destination.Misconfigured, "*** may not have this role"},
		"no token":           {"role", map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/none"}, destination.Misconfigured, "/none: no such file"},
		"issuer is down":     {"role", account(identity, gone.URL), destination.Retry, "connection refused"},
		"role without token": {"role", container("", i.url), destination.Misconfigured, "403"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newServer(t)
			p, err := host.Open(t.Context(), binary, host.OpenOptions{Env: tc.env})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close(t.Context())
			settings := store.settings(map[string]any{"access_key_id": nil, "secret_access_key": nil, "credentials": tc.credentials})
			if tc.credentials == "" {
				delete(settings, "credentials")
			}
			raw, err := json.Marshal(settings)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Configure(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
			checked := p.Check(t.Context())
			results, err := p.Write(t.Context(), batch(upsert("a", 1, `{"memo":"m"}`)))
			if err != nil {
				t.Fatal(err)
			}
			if tc.kind == destination.Delivered {
				wantResult(t, results[0], destination.Delivered, "")
				if checked != nil {
					t.Error(checked)
				}
				for _, o := range store.Objects() {
					if got := o.Header.Get("X-Amz-Security-Token"); got != sessionToken {
						t.Errorf("written with the session %q", got)
					}
				}
				return
			}
			wantResult(t, results[0], tc.kind, "NO_CREDENTIALS")
			if f, ok := errors.AsType[*destination.Failure](checked); !ok || f.Code != "NO_CREDENTIALS" || f.Error() != results[0].Message {
				t.Errorf("the check says %v", checked)
			}
			if store.Requests() > 0 {
				t.Error("the store was asked without credentials")
			}
			if !strings.Contains(results[0].Message, tc.says) {
				t.Errorf("%q, want %q", results[0].Message, tc.says)
			}
			for _, secret := range []string{secretKey, sessionToken, identity, wrong} {
				if strings.Contains(results[0].Message, secret) {
					t.Errorf("a secret is in %q", results[0].Message)
				}
			}
		})
	}
}

// Credentials of a role end, and new ones are asked for.
func TestCredentialsEnd(t *testing.T) {
	i := newIssuer(t, -time.Minute)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", i.url+"/container")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", identity)
	d := open(t, newServer(t), map[string]any{"access_key_id": nil, "secret_access_key": nil, "credentials": "role"})
	for version := range int64(3) {
		deliver(t, d, upsert("a", version, `{"memo":"m"}`))
	}
	if n := i.given.Load(); n < 3 {
		t.Errorf("credentials were asked for %d times", n)
	}
}

// A store that echoes what it got must not bring the credentials of a role into
// an error either.
func TestSecretsOfARoleAreTakenOut(t *testing.T) {
	i := newIssuer(t, time.Hour)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", i.url+"/container")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", identity)
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "<Error><Code>AccessDenied</Code><Message>%s %s</Message></Error>", r.Header.Get("X-Amz-Security-Token"), secretKey)
	}))
	t.Cleanup(echo.Close)
	d := open(t, server{url: echo.URL}, map[string]any{"access_key_id": nil, "secret_access_key": nil, "credentials": "role"})
	got := write(t, d, batch(upsert("a", 1, `{"memo":"m"}`)))[0]
	wantResult(t, got, destination.Misconfigured, "AccessDenied")
	if !strings.Contains(got.Message, "AccessDenied: *** ***") {
		t.Error(got.Message)
	}
}
