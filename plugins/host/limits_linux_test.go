package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/plugins/host"
)

func TestMemoryIsLimited(t *testing.T) {
	t.Parallel()
	h := mustStart(t, host.Options{}, host.Spec{Limits: host.Limits{Memory: 512 << 20}})
	if _, err := h.Write(t.Context(), "d", batch("invoices", 1)); err != nil {
		t.Fatalf("a write within the limit: %v", err)
	}
	pid := h.Status()[0].PID
	if _, err := h.Write(t.Context(), "d", batch("hoard", 1)); !errors.Is(err, host.ErrExited) {
		t.Errorf("a plugin took more than it may have: %v", err)
	}
	eventually(t, "restart", func() bool {
		s := h.Status()[0]
		return s.State == host.StateRunning && s.PID != pid
	})
	results, err := h.Write(t.Context(), "d", batch("env", 1))
	if err != nil || !strings.Contains(results[0].Message, "GOMEMLIMIT=") {
		t.Errorf("it does not know of its memory: %v", err)
	}
}

func TestOpenFilesAreLimited(t *testing.T) {
	t.Parallel()
	h := mustStart(t, host.Options{}, host.Spec{Limits: host.Limits{OpenFiles: 64}})
	results, err := h.Write(t.Context(), "d", batch("files", 1))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.Atoi(results[0].Message); err != nil || n < 10 || n >= 64 {
		t.Errorf("it opened %s files, %v", results[0].Message, err)
	}
}

func TestProcessorsAreToldToPluginsInGo(t *testing.T) {
	t.Parallel()
	h := mustStart(t, host.Options{}, host.Spec{Limits: host.Limits{CPU: 1.5}, Env: map[string]string{"GOMEMLIMIT": "99MiB"}})
	results, err := h.Write(t.Context(), "d", batch("env", 1))
	if err != nil || !strings.Contains(results[0].Message, "GOMAXPROCS=2\n") || !strings.Contains(results[0].Message, "GOMEMLIMIT=99MiB") {
		t.Errorf("%v\n%s", err, results[0].Message)
	}
}

// What Sluice has open, and what it got from who started it, is not for plugins.
func TestNoHandlesAreInherited(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(secret, syscall.O_RDONLY, 0) // not closed on exec
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	other, err := os.Open(secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	h := mustStart(t, host.Options{}, host.Spec{})
	results, err := h.Write(t.Context(), "d", batch("handles", 1))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(results[0].Message) {
		_, target, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case target == "": // the directory that was read
		case strings.HasPrefix(target, "pipe:"), strings.HasPrefix(target, "socket:"), strings.HasPrefix(target, "anon_inode:"):
		case strings.HasPrefix(target, "/proc/"):
		case strings.HasPrefix(target, "/sys/fs/cgroup/"): // Go reads its own limits
		default:
			t.Errorf("the plugin has %s", line)
		}
	}
}

// Secrets of other destinations and of Sluice itself do not reach a plugin.
func TestNoSecretsOfOthers(t *testing.T) {
	t.Setenv("SLUICE_ADMIN_TOKEN", "hunter2")
	t.Setenv("DATABASE_URL", "postgres://u:hunter2@db/x")
	t.Setenv("PGPASSWORD", "hunter2")
	h := mustStart(t, host.Options{}, host.Spec{})
	if err := h.Start(t.Context(), host.Spec{Destination: "other", Plugin: "test", Env: map[string]string{"TOKEN": "hunter2"}}); err != nil {
		t.Fatal(err)
	}
	results, err := h.Write(t.Context(), "d", batch("env", 1))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(results[0].Message) {
		name, _, _ := strings.Cut(line, "=")
		if strings.Contains(line, "hunter2") || strings.HasPrefix(name, "SLUICE_") && !strings.HasPrefix(name, "SLUICE_PLUGIN_") && name != "SLUICE_DESTINATION_PLUGIN" {
			t.Errorf("the plugin sees %s", name)
		}
	}
}
