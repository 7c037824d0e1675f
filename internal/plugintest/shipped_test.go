package plugintest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/host"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// buildSluice builds the program without Temporal, which `plugins test` does not
// need.
func buildSluice(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "slim", "-o", path, "../../cmd/sluice").CombinedOutput()
	if err != nil {
		t.Fatalf("build sluice: %v\n%s", err, out)
	}
	return path
}

// buildPlugin builds a shipped plugin. One that needs cgo is a module of its own.
func buildPlugin(t *testing.T, dir, name string) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		return hosttest.Build(t, dir, name)
	}
	path := filepath.Join(t.TempDir(), host.Prefix+name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// The command, over the binary of every shipped destination.
func TestShippedDestinations(t *testing.T) {
	sluice := buildSluice(t)
	mains, err := filepath.Glob("../../plugins/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("%d plugins, %v", len(mains), err)
	}
	for _, main := range mains {
		dir := filepath.Dir(main)
		name := filepath.Base(dir)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start, ok := systems[name]
			if !ok {
				t.Fatalf("systems does not say what is behind %s", name)
			}
			cmd := exec.CommandContext(t.Context(), sluice, "plugins", "test", buildPlugin(t, dir, name),
				"-c", filepath.Join(dir, "conformance.yaml"), "-o", "json")
			cmd.Env = os.Environ()
			for name, value := range start(t) {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			ended := cmd.Run()
			var report conformance.Report
			if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
				t.Fatalf("%v, %v: %s%s", ended, err, stdout.String(), stderr.String())
			}
			for _, o := range report.Cases {
				if o.Result == conformance.Failed || o.Result == conformance.Unobserved {
					t.Errorf("%s: %s: %s", o.Case, o.Result, strings.Join(o.Problems, "\n"))
				}
			}
			if ended != nil || len(report.Cases) != len(conformance.Cases()) {
				t.Errorf("%d cases of %d, %v: %s", len(report.Cases), len(conformance.Cases()), ended, stderr.String())
			}
		})
	}
}
