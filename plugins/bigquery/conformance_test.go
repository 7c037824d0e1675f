package main

import (
	"crypto/rsa"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/bigquery"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/conformance/httpfault"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore/sqltest"
)

// Each write is several requests: the property tests draw fewer cases here.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// harness reads tables from the fake.
type harness struct {
	server      *fake.Server
	faults      *httpfault.Handler // before the server
	url         string
	credentials string
	remove      string
	binary      string // "": in process
	places      *atomic.Int64
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "A fake of its REST API that executes the SQL, not BigQuery")
	binary := hosttest.Build(t, ".", "bigquery")
	for _, remove := range []string{"soft", "hard"} {
		for name, binary := range map[string]string{remove: "", remove + " as a process": binary} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				accounts := map[string]*rsa.PublicKey{}
				server := fake.New(fake.Options{Accounts: accounts})
				faults := httpfault.New(server, server.ExpireTokens)
				url := listen(t, faults)
				credentials, public := account(t, url)
				accounts["sluice@project.iam.gserviceaccount.com"] = public
				report.Run(t, harness{server: server, faults: faults, url: url, credentials: credentials, remove: remove, binary: binary, places: new(atomic.Int64)})
			})
		}
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return &warehouse{}
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	return sqltest.Settings(t, settings{Project: "project", Endpoint: h.url, Credentials: h.credentials, Dataset: fmt.Sprintf("place_%d", h.places.Add(1)), Delete: h.remove})
}

func (h harness) Lacks() map[string]string { return nil }

func (h harness) Fault(_ *testing.T, _ json.RawMessage, f conformance.Fault) bool {
	return h.faults.Fault(f)
}

func (h harness) WrongCredentials(t *testing.T, raw json.RawMessage) json.RawMessage {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	s.Credentials, _ = account(t, h.url)
	return sqltest.Settings(t, s)
}

func (h harness) Rows(t *testing.T, raw json.RawMessage, object string) []map[string]string {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	out := append(h.server.Rows(s.Project, s.Dataset, object), h.server.Rows(s.Project, s.Dataset, object+"_changes")...)
	return sqltest.Unfold(t, out)
}
