package main

import (
	"github.com/sluicehq/sluice/plugins/destination/redact"

	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination/serve"
)

// settings are what an operator writes under config.
type settings struct {
	Auth           string `json:"auth,omitempty" jsonschema:"enum=client_credentials,enum=jwt,enum=refresh_token,default=client_credentials,description=OAuth flow that gets the tokens."`
	LoginURL       string `json:"login_url" jsonschema:"minLength=1,description=Where tokens come from: the My Domain URL; with jwt or refresh_token also https://login.salesforce.com or https://test.salesforce.com."`
	ClientID       string `json:"client_id" jsonschema:"minLength=1,description=Consumer key of the external client app."`
	ClientSecret   string `json:"client_secret,omitempty" jsonschema:"writeOnly=true,description=Consumer secret; for client_credentials and refresh_token."`
	PrivateKey     string `json:"private_key,omitempty" jsonschema:"writeOnly=true,description=RSA key in PEM whose certificate the app has; for jwt."`
	Username       string `json:"username,omitempty" jsonschema:"description=User to act as; for jwt."`
	Audience       string `json:"audience,omitempty" jsonschema:"enum=https://login.salesforce.com,enum=https://test.salesforce.com,default=https://login.salesforce.com,description=Audience of the assertion; for jwt. A sandbox needs https://test.salesforce.com."`
	RefreshToken   string `json:"refresh_token,omitempty" jsonschema:"writeOnly=true,description=Refresh token; for refresh_token."`
	APIVersion     string `json:"api_version,omitempty" jsonschema:"default=66.0,description=Version of the API."`
	ExternalID     string `json:"external_id,omitempty" jsonschema:"description=External id field for records whose key has several fields. A key of one field is named by it."`
	VersionField   string `json:"version_field,omitempty" jsonschema:"description=Number(18\\,0) field that keeps the version of a record; with it an older write changes nothing."`
	Delete         string `json:"delete,omitempty" jsonschema:"enum=hard,enum=soft,default=hard,description=Move a deleted record to the recycle bin\\, or set deleted_field."`
	DeletedField   string `json:"deleted_field,omitempty" jsonschema:"description=Checkbox field that is set on deleted records; for delete: soft."`
	BulkThreshold  int    `json:"bulk_threshold,omitempty" jsonschema:"minimum=1,default=2000,description=From how many records with the same fields a bulk job is used."`
	BulkPoll       string `json:"bulk_poll,omitempty" jsonschema:"default=5s,description=Longest wait between two looks at a bulk job."`
	ReservePercent *int   `json:"reserve_percent,omitempty" jsonschema:"minimum=0,maximum=90,default=10,description=Share of the daily API requests that is left to others."`
	Timeout        string `json:"timeout,omitempty" jsonschema:"default=30s,description=How long one request may take."`
}

// The OAuth flows.
const (
	authClientCredentials = "client_credentials"
	authJWT               = "jwt"
	authRefreshToken      = "refresh_token"
)

// options are settings with their defaults, checked.
type options struct {
	settings
	login    *url.URL
	soft     bool
	reserve  int
	timeout  time.Duration
	bulkPoll time.Duration
	secrets  redact.Secrets
}

var (
	apiName    = regexp.MustCompile(`^[A-Za-z]\w{0,79}$`)
	apiVersion = regexp.MustCompile(`^[1-9]\d{1,2}\.0$`)
)

// parseSettings quotes no value of a secret in its errors.
func parseSettings(raw json.RawMessage) (options, error) {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return options{}, err
	}
	o := options{settings: s, reserve: 10, timeout: 30 * time.Second, bulkPoll: 5 * time.Second, secrets: secretsOf(s)}
	if o.login, err = parseLogin(s.LoginURL); err != nil {
		return options{}, err
	}
	if o.ClientID == "" {
		return options{}, errors.New(`setting "client_id": give the consumer key of the app`)
	}
	if err := o.checkAuth(); err != nil {
		return options{}, err
	}
	if o.APIVersion == "" {
		o.APIVersion = "66.0"
	}
	if !apiVersion.MatchString(o.APIVersion) {
		return options{}, errors.New(`setting "api_version": write it as 66.0`)
	}
	for name, value := range map[string]string{"external_id": s.ExternalID, "version_field": s.VersionField, "deleted_field": s.DeletedField} {
		if value != "" && !apiName.MatchString(value) {
			return options{}, fmt.Errorf("setting %q: %q is no API name of a field", name, value)
		}
	}
	switch s.Delete {
	case "", "hard":
		if s.DeletedField != "" {
			return options{}, errors.New(`setting "deleted_field" needs delete: soft`)
		}
	case "soft":
		if o.soft = true; s.DeletedField == "" {
			return options{}, errors.New(`setting "delete": soft needs deleted_field, a checkbox field`)
		}
	default:
		return options{}, errors.New(`setting "delete": use hard or soft`)
	}
	if o.BulkThreshold == 0 {
		o.BulkThreshold = 2000
	}
	if o.BulkThreshold < 1 {
		return options{}, errors.New(`setting "bulk_threshold": use 1 or more`)
	}
	if s.ReservePercent != nil {
		if o.reserve = *s.ReservePercent; o.reserve < 0 || o.reserve > 90 {
			return options{}, errors.New(`setting "reserve_percent": use 0 to 90`)
		}
	}
	for name, d := range map[string]struct {
		text string
		into *time.Duration
	}{"timeout": {s.Timeout, &o.timeout}, "bulk_poll": {s.BulkPoll, &o.bulkPoll}} {
		if d.text == "" {
			continue
		}
		if *d.into, err = time.ParseDuration(d.text); err != nil || *d.into <= 0 {
			return options{}, fmt.Errorf("setting %q: give a duration such as 30s", name)
		}
	}
	return o, nil
}

// parseLogin wants https: with http everybody on the way could take the secret.
func parseLogin(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New(`setting "login_url": give a URL such as https://example.my.salesforce.com`)
	}
	if !secure(u) {
		return nil, errors.New(`setting "login_url": use https`)
	}
	return u, nil
}

// secure reports whether secrets may be sent there: with https, or within this
// machine.
func secure(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	addr := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || addr != nil && addr.IsLoopback())
}

// checkAuth checks that the flow has what it needs.
func (o *options) checkAuth() error {
	if o.Auth == "" {
		o.Auth = authClientCredentials
	}
	if o.Audience == "" {
		o.Audience = "https://login.salesforce.com"
	}
	var needs map[string]string
	switch o.Auth {
	case authClientCredentials:
		needs = map[string]string{"client_secret": o.ClientSecret}
		if host := o.login.Hostname(); host == "login.salesforce.com" || host == "test.salesforce.com" {
			return fmt.Errorf(`setting "login_url": the flow client_credentials works at the My Domain URL only, not at %s`, host)
		}
	case authJWT:
		needs = map[string]string{"private_key": o.PrivateKey, "username": o.Username}
		if o.PrivateKey != "" && !isRSAKey(o.PrivateKey) {
			return errors.New(`setting "private_key": give an RSA key in PEM, without a passphrase`)
		}
	case authRefreshToken:
		needs = map[string]string{"client_secret": o.ClientSecret, "refresh_token": o.RefreshToken}
	default:
		return errors.New(`setting "auth": use client_credentials, jwt or refresh_token`)
	}
	for _, name := range []string{"client_secret", "private_key", "username", "refresh_token"} {
		if value, ok := needs[name]; ok && value == "" {
			return fmt.Errorf("setting %q is required with auth: %s", name, o.Auth)
		}
	}
	return nil
}

func isRSAKey(text string) bool {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return false
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		_, ok := key.(*rsa.PrivateKey)
		return ok
	}
	_, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	return err == nil
}
