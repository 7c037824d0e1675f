package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination/redact"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

// settings are what an operator writes under config.
type settings struct {
	Token             string            `json:"token,omitempty" jsonschema:"writeOnly=true,description=Service key\\, or access token of a private app."`
	ClientID          string            `json:"client_id,omitempty" jsonschema:"description=Client id of an OAuth app\\, instead of token."`
	ClientSecret      string            `json:"client_secret,omitempty" jsonschema:"writeOnly=true,description=Client secret of the OAuth app."`
	RefreshToken      string            `json:"refresh_token,omitempty" jsonschema:"writeOnly=true,description=Refresh token of the OAuth app's installation."`
	BaseURL           string            `json:"base_url,omitempty" jsonschema:"default=https://api.hubapi.com,description=Address of the API. http is allowed on this machine only."`
	APIVersion        string            `json:"api_version,omitempty" jsonschema:"default=2026-09,description=Dated version of the API."`
	KeyProperty       string            `json:"key_property,omitempty" jsonschema:"default=sluice_key,description=Unique property for keys of several fields. A key of one field is the property of that name."`
	Properties        string            `json:"properties,omitempty" jsonschema:"enum=create,enum=fixed,default=create,description=Make properties that are missing\\, or leave that to somebody else."`
	PropertyTypes     map[string]string `json:"property_types,omitempty" jsonschema:"description=Type of properties that are made: text\\, number\\, boolean\\, date\\, datetime or json. Default: after the data model; text if it does not know the field."`
	Associations      []association     `json:"associations,omitempty" jsonschema:"description=Associations that are made from properties that hold another record's key."`
	RequestsPerSecond int               `json:"requests_per_second,omitempty" jsonschema:"minimum=1,default=10,description=Most requests in a second\\, on the average of ten."`
	Timeout           string            `json:"timeout,omitempty" jsonschema:"default=30s,description=How long one request may take\\, with its answer."`
}

// association says that a property of an object names a record of another.
type association struct {
	From       string `json:"from" jsonschema:"description=Object that has the property\\, e.g. deals."`
	Property   string `json:"property" jsonschema:"description=Property that holds the key\\, e.g. rootfi_contact_key."`
	To         string `json:"to" jsonschema:"description=Object of the other record\\, e.g. companies."`
	ToProperty string `json:"to_property" jsonschema:"description=Unique property there that has the key\\, e.g. rootfi_key."`
}

// options are settings with their defaults, checked.
type options struct {
	settings
	base    *url.URL
	timeout time.Duration
}

const (
	defaultBase    = "https://api.hubapi.com"
	defaultVersion = "2026-09"
	// datedVersion is that of the parts of the API that have no newer one.
	datedVersion = "2026-03"

	propertiesCreate = "create"
	propertiesFixed  = "fixed"
)

var (
	nameForm    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)
	objectForm  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)
	versionForm = regexp.MustCompile(`^20[0-9]{2}-(0[1-9]|1[0-2])$`)
)

// parseSettings quotes no value in its errors but those that cannot be secret.
func parseSettings(raw json.RawMessage) (options, error) {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return options{}, err
	}
	o := options{settings: s, timeout: 30 * time.Second}
	if err := o.credentials(); err != nil {
		return options{}, err
	}
	if o.base, err = parseBase(s.BaseURL); err != nil {
		return options{}, err
	}
	if s.Timeout != "" {
		if o.timeout, err = time.ParseDuration(s.Timeout); err != nil || o.timeout <= 0 {
			return options{}, errors.New("setting timeout: give a duration such as 30s")
		}
	}
	orDefault(&o.APIVersion, defaultVersion)
	orDefault(&o.KeyProperty, "sluice_key")
	orDefault(&o.Properties, propertiesCreate)
	if o.RequestsPerSecond == 0 {
		o.RequestsPerSecond = 10
	}
	switch {
	case !versionForm.MatchString(o.APIVersion):
		return options{}, errors.New("setting api_version: give a dated version such as 2026-09")
	case !nameForm.MatchString(o.KeyProperty):
		return options{}, errors.New("setting key_property: use small letters, digits and _, a letter first")
	case o.Properties != propertiesCreate && o.Properties != propertiesFixed:
		return options{}, errors.New("setting properties: use create or fixed")
	case o.RequestsPerSecond < 1:
		return options{}, errors.New("setting requests_per_second: use 1 or more")
	}
	for name, kind := range s.PropertyTypes {
		if _, ok := kinds[kind]; !ok || !nameForm.MatchString(name) {
			return options{}, fmt.Errorf("setting property_types: %q must be a property with text, number, boolean, date, datetime or json", name)
		}
	}
	for i, a := range s.Associations {
		if !objectForm.MatchString(a.From) || !objectForm.MatchString(a.To) || !nameForm.MatchString(a.Property) || !nameForm.MatchString(a.ToProperty) {
			return options{}, fmt.Errorf("setting associations: number %d needs from and to (objects), property and to_property (properties)", i+1)
		}
	}
	return o, nil
}

func orDefault(value *string, fallback string) {
	if *value == "" {
		*value = fallback
	}
}

// credentials checks that there is exactly one kind.
func (o *options) credentials() error {
	oauth := []string{o.ClientID, o.ClientSecret, o.RefreshToken}
	switch given := slices.ContainsFunc(oauth, func(s string) bool { return s != "" }); {
	case o.Token != "" && given:
		return errors.New("settings: give token, or client_id, client_secret and refresh_token, not both")
	case o.Token == "" && slices.Contains(oauth, ""):
		return errors.New("settings: give token (a service key), or all of client_id, client_secret and refresh_token")
	}
	// The value would break the header.
	if strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("setting token: it has a character that no token has (a line break at the end of a secret's file?)")
	}
	return nil
}

// parseBase never quotes the URL: somebody may have put a password into it.
func parseBase(text string) (*url.URL, error) {
	orDefault(&text, defaultBase)
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("setting base_url: give an address such as https://api.hubapi.com, without user, query or fragment")
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return nil, errors.New("setting base_url: use https:// (http:// would show the token; it is allowed for this machine only)")
	}
	return u, nil
}

func (o *options) redact(text string) string {
	return redact.New(o.Token, o.ClientSecret, o.RefreshToken).Clean(text)
}
