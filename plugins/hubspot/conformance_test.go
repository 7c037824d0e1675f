package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/hubspot"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/conformance/httpfault"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

const token = "pat-eu1-0123456789abcdef"

type harness struct {
	binary   string // "": in process
	refresh  bool   // OAuth in the place of a static token
	accounts map[string]account
}

// account is one of HubSpot's, with what can go wrong with it.
type account struct {
	*fake.Server
	faults *httpfault.Handler
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "the fake of `sluice sandbox hubspot`")
	binary := hosttest.Build(t, ".", "hubspot")
	for name, h := range map[string]harness{
		"in process":         {},
		"process":            {binary: binary},
		"OAuth in process":   {refresh: true},
		"OAuth as a process": {refresh: true, binary: binary},
	} {
		t.Run(name, func(t *testing.T) {
			h.accounts = map[string]account{}
			report.Run(t, h)
		})
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return newHubSpot()
}

// Settings are for an account of its own, in which the suite's objects are
// custom ones, since no standard object takes the suite's records.
func (h harness) Settings(t *testing.T) json.RawMessage {
	options := fake.Options{Custom: []string{"invoices", "bills"}}
	config := map[string]any{"requests_per_second": 10_000}
	if h.refresh {
		options.ClientID, options.ClientSecret, options.RefreshToken = "client", clientSecret, "refresh-token-of-the-account"
		config["client_id"], config["client_secret"], config["refresh_token"] = options.ClientID, options.ClientSecret, options.RefreshToken
	} else {
		options.Token = token
		config["token"] = token
	}
	a := account{Server: fake.New(options)}
	a.faults = httpfault.New(a.Server, nil)
	if h.refresh {
		a.faults = httpfault.New(a.Server, a.ExpireTokens)
	}
	server := httptest.NewServer(a.faults)
	t.Cleanup(server.Close)
	h.accounts[server.URL] = a
	config["base_url"] = server.URL
	raw, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

const clientSecret = "secret-of-the-client"

func (h harness) Fault(t *testing.T, raw json.RawMessage, f conformance.Fault) bool {
	return h.account(t, raw).faults.Fault(f)
}

func (h harness) account(t *testing.T, raw json.RawMessage) account {
	t.Helper()
	o, err := parseSettings(raw)
	if err != nil {
		t.Fatal(err)
	}
	return h.accounts[o.base.String()]
}

func (h harness) WrongCredentials(_ *testing.T, raw json.RawMessage) json.RawMessage {
	return json.RawMessage(strings.NewReplacer(token, "pat-eu1-not-the-token", clientSecret, "not-the-secret").Replace(string(raw)))
}

func (h harness) Lacks() map[string]string {
	return map[string]string{
		"empty_text":                 "HubSpot does not tell an empty text from none",
		"large":                      "a property of HubSpot takes 65,536 characters",
		"timestamps":                 "HubSpot keeps milliseconds",
		"older_version_after_delete": "an archived record has no version that could be read by its key",
	}
}

func (h harness) Rows(t *testing.T, raw json.RawMessage, object string) []map[string]string {
	var out []map[string]string
	for _, properties := range h.account(t, raw).Records(object) {
		row := map[string]string{}
		for name, value := range properties {
			if field, own := strings.CutPrefix(name, "sluice_"); own {
				name = "_" + field
			}
			row[name] = value
		}
		out = append(out, row)
	}
	return out
}
