package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/hubspot"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

const token = "pat-eu1-0123456789abcdef"

type harness struct {
	binary   string // "": in process
	accounts map[string]*fake.Server
}

func TestConformance(t *testing.T) {
	binary := hosttest.Build(t, ".", "hubspot")
	for name, h := range map[string]harness{
		"in process": {},
		"process":    {binary: binary},
	} {
		t.Run(name, func(t *testing.T) {
			h.accounts = map[string]*fake.Server{}
			destinationtest.Run(t, h)
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
	account := fake.New(fake.Options{Token: token, Custom: []string{"invoices", "bills"}})
	server := httptest.NewServer(account)
	t.Cleanup(server.Close)
	h.accounts[server.URL] = account
	raw, err := json.Marshal(map[string]any{"token": token, "base_url": server.URL, "requests_per_second": 10_000})
	if err != nil {
		t.Fatal(err)
	}
	return raw
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
	o, err := parseSettings(raw)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, properties := range h.accounts[o.base.String()].Records(object) {
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
