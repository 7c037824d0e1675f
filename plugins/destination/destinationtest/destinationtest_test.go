package destinationtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
)

// nothing takes settings and nothing else.
type nothing struct{}

func (nothing) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name: "nothing", Version: "1", Capabilities: []destination.Capability{destination.CapabilityRecords},
	}, nil
}

func (nothing) Configure(_ context.Context, raw json.RawMessage) error {
	if string(raw) == `{}` {
		return nil
	}
	return errors.New("no_such_setting: there are no settings")
}

func (nothing) Write(context.Context, destination.Batch) ([]destination.Result, error) {
	return nil, errors.New("no")
}

type harness struct{ lacks map[string]string }

func (harness) New(*testing.T) destination.Destination                              { return nothing{} }
func (harness) Settings(*testing.T) json.RawMessage                                 { return json.RawMessage(`{}`) }
func (harness) Rows(*testing.T, json.RawMessage, string) (none []map[string]string) { return none }
func (h harness) Lacks() map[string]string                                          { return h.lacks }

// lacking is a harness that admits everything that nothing cannot do.
func lacking() harness {
	h := harness{lacks: map[string]string{}}
	for _, c := range conformance.Cases() {
		switch c.Group {
		case "records", "values", "batches":
			h.lacks[c.Name] = "it takes nothing"
		}
	}
	for _, name := range []string{"throttle", "throttle_without_end", "token_expiry", "outage", "hang"} {
		h.lacks[name] = "there is no system behind it"
	}
	return h
}

func TestRecorded(t *testing.T) {
	path := os.Getenv("TEST_RECORD")
	h := lacking()
	switch os.Getenv("TEST_HARNESS") {
	case "honest":
		h = harness{}
	case "mistaken":
		h.lacks["rocket"] = "no engine"
	}
	if path == "" {
		path = filepath.Join(t.TempDir(), "conformance.json")
		t.Setenv(destinationtest.EnvUpdate, "update")
	}
	r := destinationtest.Record(t, path, "nothing at all")
	t.Run("way", func(t *testing.T) { r.Run(t, h) })
}

// Each runs the test above in a process of its own.
func TestRecorder(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "testdata", "conformance.json")
	run := func(filter string, env ...string) (string, bool) {
		cmd := exec.CommandContext(t.Context(), self, "-test.v", "-test.run="+filter)
		cmd.Env = append(os.Environ(), append(env, "TEST_RECORD="+path)...)
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	const all = "^TestRecorded$"
	if out, passed := run(all); passed || !strings.Contains(out, "does not say what the suite found") {
		t.Errorf("without a file: %s", out)
	}
	if out, passed := run(all, destinationtest.EnvUpdate+"=update"); !passed {
		t.Fatalf("update: %s", out)
	}
	if out, passed := run(all); !passed {
		t.Errorf("with the file: %s", out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var recorded destinationtest.Recorded
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	if recorded.Against != "nothing at all" || len(recorded.Runs) != 1 || recorded.Runs[0].Variant != "way" ||
		len(recorded.Runs[0].Cases) != len(conformance.Cases()) {
		t.Errorf("recorded %s", text)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, passed := run(all); passed || !strings.Contains(out, `"against": "nothing at all"`) {
		t.Errorf("with another file: %s", out)
	}
	if out, passed := run("^TestRecorded$/way/describe"); !passed {
		t.Errorf("a part of the test: %s", out)
	}
	if out, passed := run(all, "TEST_HARNESS=honest"); passed || !strings.Contains(out, "--- FAIL: TestRecorded/way/upsert") {
		t.Errorf("a destination that does nothing: %s", out)
	}
	if out, passed := run(all, "TEST_HARNESS=mistaken"); passed || !strings.Contains(out, `"rocket"`) {
		t.Errorf("Lacks with an unknown name: %s", out)
	}
}
