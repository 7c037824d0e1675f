// Package hosttest helps the tests of plugins to run them as Sluice does: as
// child processes. It is for tests only.
package hosttest

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/host"
	"github.com/sluicehq/sluice/plugins/host/trial"
)

// Build builds the main package pkg (a path as `go build` takes it, "." for the
// package under test) and returns the plugin's file, which lives as long as t.
func Build(t *testing.T, pkg, name string) string {
	t.Helper()
	return build(t, exec.CommandContext(t.Context(), "go", "build"), pkg, name)
}

// BuildModule builds the plugin in a folder that is a module of its own, with cgo.
func BuildModule(t *testing.T, dir, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=1")
	return build(t, cmd, ".", name)
}

func build(t *testing.T, cmd *exec.Cmd, pkg, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), host.Prefix+name)
	cmd.Args = append(cmd.Args, "-o", path, pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	// Built under a umask of 002 it would be refused.
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// Open starts the plugin at path and stops it with t. Its log goes to t's.
func Open(t *testing.T, path string) *trial.Process {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{
		// The time says nothing in a test.
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	p, err := trial.Start(t.Context(), path, host.OpenOptions{Logger: log})
	if err != nil {
		t.Fatalf("%s: %v", strings.TrimPrefix(filepath.Base(path), host.Prefix), err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}
