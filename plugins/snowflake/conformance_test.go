package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/snowflake"
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
	server   *fake.Server
	faults   *httpfault.Handler // before the server
	settings settings
	binary   string // "": in process
	places   *atomic.Int64
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "A fake of its SQL API that executes the SQL, not Snowflake")
	binary := hosttest.Build(t, ".", "snowflake")
	for _, remove := range []string{"soft", "hard"} {
		for name, binary := range map[string]string{remove: "", remove + " as a process": binary} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				server := newFake()
				faults := httpfault.New(server, nil) // tokens are the plugin's own, and end by the clock
				o := listen(t, faults)
				o.Delete = remove
				report.Run(t, harness{server: server, faults: faults, settings: o, binary: binary, places: new(atomic.Int64)})
			})
		}
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return &snowflake{}
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	o := h.settings
	o.Schema = fmt.Sprintf("place %d", h.places.Add(1))
	return sqltest.Settings(t, o)
}

func (h harness) Lacks() map[string]string { return nil }

func (h harness) Fault(_ *testing.T, _ json.RawMessage, f conformance.Fault) bool {
	return h.faults.Fault(f)
}

func (h harness) WrongCredentials(t *testing.T, raw json.RawMessage) json.RawMessage {
	var o settings
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	o.PrivateKey = newPair().pem
	return sqltest.Settings(t, o)
}

func (h harness) Rows(t *testing.T, raw json.RawMessage, object string) []map[string]string {
	var o settings
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	schema := swap(o.Database) + "." + swap(o.Schema) + "."
	return sqltest.Unfold(t, append(rows(h.server, schema+swap(object)), rows(h.server, schema+swap(object+"_changes"))...))
}
