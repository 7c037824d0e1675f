package destinationtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination/conformance"
)

// EnvUpdate is the variable that has recorders write their files:
//
//	SLUICE_CONFORMANCE=update go test -run TestConformance ./plugins/...
const EnvUpdate = "SLUICE_CONFORMANCE"

// Recorder gathers the reports of all runs of one plugin, and keeps them in a
// file that the documentation is made from. At the end of the test it fails if
// the file says something else than the runs.
type Recorder struct {
	t    *testing.T
	mu   sync.Mutex
	file Recorded
}

// Recorded is what the file of a Recorder holds.
type Recorded struct {
	// Against says what the plugin was tested against: the real thing or which fake.
	Against string                `json:"against"`
	Runs    []*conformance.Report `json:"runs"` // by variant
}

// Record returns a recorder for the file, such as testdata/conformance.json.
func Record(t *testing.T, path, against string) *Recorder {
	t.Helper()
	r := &Recorder{t: t, file: Recorded{Against: against}}
	t.Cleanup(func() { r.end(path) })
	return r
}

// Run is the function Run, with its report recorded under the test's name.
func (r *Recorder) Run(t *testing.T, h Harness) {
	t.Helper()
	report := run(t, h)
	report.Variant = strings.TrimPrefix(strings.TrimPrefix(t.Name(), r.t.Name()), "/")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.file.Runs = append(r.file.Runs, report)
}

func (r *Recorder) end(path string) {
	r.t.Helper()
	if part := flag.Lookup("test.run"); part != nil && strings.Contains(part.Value.String(), "/") {
		r.t.Logf("%s is not compared: only a part of the test ran", path)
		return
	}
	slices.SortFunc(r.file.Runs, func(a, b *conformance.Report) int { return strings.Compare(a.Variant, b.Variant) })
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r.file); err != nil {
		r.t.Fatal(err)
	}
	have, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.t.Fatal(err)
	}
	switch {
	case bytes.Equal(have, text.Bytes()):
	case os.Getenv(EnvUpdate) == "update" && !r.t.Failed():
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
			r.t.Fatal(err)
		}
	default:
		r.t.Errorf("%s does not say what the suite found. If that is right, run with %s=update. What it does not have:\n%s",
			path, EnvUpdate, strings.Join(added(have, text.Bytes()), "\n"))
	}
}

// added are the lines of after that before does not have, the first of them.
func added(before, after []byte) []string {
	const most = 20
	had := map[string]bool{}
	for line := range strings.Lines(string(before)) {
		had[line] = true
	}
	var out []string
	for line := range strings.Lines(string(after)) {
		if !had[line] && len(out) < most {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}
