package plugintypescript

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/plugintest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// harness tells the suite how to start the plugin and how to read the journal.
type harness struct{ binary string }

func TestConformance(t *testing.T) {
	conform := destinationtest.Record(t, "testdata/conformance.json", "the file system")
	conform.Run(t, harness{build(t)})
}

// The same by `sluice plugins test`, which sees the journal as conformance.yaml
// says.
func TestConformanceFile(t *testing.T) {
	file, err := plugintest.Load("conformance.yaml")
	if err != nil {
		t.Fatal(err)
	}
	report, err := plugintest.Run(t.Context(), build(t), file, nil, func(o conformance.Outcome) {
		if o.Result == conformance.Failed || o.Result == conformance.Unobserved {
			t.Errorf("%s: %s: %s", o.Case, o.Result, strings.Join(o.Problems, "\n"))
		}
	})
	if err != nil || len(report.Cases) != len(conformance.Cases()) {
		t.Errorf("%d cases of %d, %v", len(report.Cases), len(conformance.Cases()), err)
	}
}

// signingKey is a secret of the plugin's.
const signingKey = "a key for the tests"

// build makes the plugin's one file. Types are checked by TestProject.
func build(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sluice-destination-journal")
	run(t, "node", "scripts/bundle.mjs", "--out", file)
	return file
}

// run runs a program of the project, whose packages `make test-deps` installs.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := os.Stat("node_modules"); err != nil {
		t.Fatalf("%v: run make test-deps, or npm ci here", err)
	}
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func (h harness) New(t *testing.T) destination.Destination { return hosttest.Open(t, h.binary) }

func (harness) Settings(t *testing.T) json.RawMessage {
	raw, err := json.Marshal(map[string]string{
		"path": filepath.Join(t.TempDir(), "books", "journal.jsonl"), "signing_key": signingKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (harness) Lacks() map[string]string { return nil }

// line is a line of the journal.
type line struct {
	Mode      string                     `json:"mode"`
	Object    string                     `json:"object"`
	Operation string                     `json:"operation"`
	Key       map[string]string          `json:"key"`
	Version   int64                      `json:"version"`
	Fields    map[string]json.RawMessage `json:"fields"`
}

// Rows is the state that a reader makes of the journal: of records the line with
// the largest version, of changes and events every line.
func (harness) Rows(t *testing.T, raw json.RawMessage, object string) []map[string]string {
	var settings struct {
		Path string `json:"path"`
	}
	if err := json.Unmarshal(raw, &settings); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(settings.Path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	newest := map[string]line{}
	for one := range bytes.Lines(text) {
		var l line
		if err := json.Unmarshal(one, &l); err != nil {
			t.Fatalf("%s: %v", one, err)
		}
		key, err := json.Marshal(l.Key)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Object != object:
		case l.Mode != "records":
			rows = append(rows, flat(l))
		case l.Version > newest[string(key)].Version:
			newest[string(key)] = l
		}
	}
	for _, l := range newest {
		rows = append(rows, flat(l))
	}
	return rows
}

// flat is a line as the suite compares it.
func flat(l line) map[string]string {
	out := map[string]string{}
	for name, value := range l.Key {
		out[name] = value
	}
	if l.Operation == "delete" {
		out["_deleted_at"] = "yes"
	}
	for name, value := range l.Fields {
		var text string
		switch {
		case string(value) == "null":
		case json.Unmarshal(value, &text) == nil:
			out[name] = text
		default:
			out[name] = string(value)
		}
	}
	return out
}
