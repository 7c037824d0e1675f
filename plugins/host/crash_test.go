package host_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host"
)

func TestCrashInMidCall(t *testing.T) {
	t.Parallel()
	for object, cause := range map[string]string{"crash": "exit status 3", "killed": "signal: killed"} {
		t.Run(object, func(t *testing.T) {
			t.Parallel()
			h := mustStart(t, host.Options{MinPause: 3 * time.Second}, host.Spec{})
			before := h.Status()[0].PID

			_, err := h.Write(t.Context(), "d", batch(object, 1))
			if !errors.Is(err, host.ErrExited) || !strings.Contains(err.Error(), cause) {
				t.Fatalf("got %v, want ErrExited and %q", err, cause)
			}
			// In the pause calls fail at once and say until when.
			eventually(t, "pause", func() bool { return h.Status()[0].State == host.StateRestarting })
			_, err = h.Write(t.Context(), "d", batch("invoices", 1))
			f, ok := errors.AsType[*destination.Failure](err)
			if !ok || f.Kind != destination.Throttled || time.Until(f.Until) > 3*time.Second {
				t.Errorf("in the pause: %v", err)
			}
			// It comes back by itself.
			eventually(t, "restart", func() bool { return h.Status()[0].State == host.StateRunning })
			if _, err := h.Write(t.Context(), "d", batch("invoices", 1)); err != nil {
				t.Errorf("after the restart: %v", err)
			}
			if s := h.Status()[0]; s.Restarts != 1 || s.PID == before {
				t.Errorf("status: %+v", s)
			}
		})
	}
}

// What a plugin started holds its output open, which must not hide its death.
func TestCrashLeavesNoChildren(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	settings, _ := json.Marshal(map[string]string{"closed": file})
	h := mustStart(t, host.Options{MinPause: time.Hour, MaxPause: time.Hour}, host.Spec{Settings: settings})
	if _, err := h.Write(t.Context(), "d", batch("family", 1)); !errors.Is(err, host.ErrExited) {
		t.Errorf("got %v", err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(b))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "end of the child", func() bool { return !alive(pid) })
}

func TestDeathWhileIdleIsNoticed(t *testing.T) {
	t.Parallel()
	h := mustStart(t, host.Options{MinPause: time.Millisecond}, host.Spec{})
	before := h.Status()[0].PID
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "new process", func() bool { s := h.Status()[0]; return s.PID != 0 && s.PID != before })
}

func TestDeathBeforeConfiguredIsNoRefusal(t *testing.T) {
	t.Parallel()
	there := filepath.Join(t.TempDir(), "there")
	settings, _ := json.Marshal(map[string]string{"once": there})
	h, err := start(t, host.Options{MinPause: time.Millisecond, MaxPause: 10 * time.Millisecond}, host.Spec{Settings: settings})
	if _, ok := errors.AsType[*destination.Failure](err); ok || !errors.Is(err, host.ErrExited) || !strings.Contains(err.Error(), "exit status 8") {
		t.Fatalf("got %v", err)
	}
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "recovery", func() bool { return h.Status()[0].State == host.StateRunning })
}

// A plugin must not outlive a host that is killed, idle or busy.
func TestNoOrphans(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "TEST_ROLE=host", "TEST_DIR="+pluginDir(t), "TMPDIR="+tmp)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != "ready"; {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(lines.Text())
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 || !alive(pids[0]) || !alive(pids[1]) {
		t.Fatalf("plugins %v", pids)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, pid := range pids {
		eventually(t, fmt.Sprintf("end of %d", pid), func() bool { return !alive(pid) })
	}
	if left, _ := filepath.Glob(filepath.Join(tmp, "plugin-dir*")); len(left) > 0 {
		t.Errorf("sockets are left: %v", left)
	}
}

// What was started is started again after a crash, whatever is in its place.
func TestReplacedFileIsNotStarted(t *testing.T) {
	t.Parallel()
	dir := pluginDir(t)
	h := mustStart(t, host.Options{Dirs: []string{dir}, MinPause: time.Millisecond}, host.Spec{})
	if err := os.Remove(filepath.Join(dir, host.Prefix+"test")); err != nil {
		t.Fatal(err)
	}
	script(t, dir, "test", "exit 0")
	pid := h.Status()[0].PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another life of the same file", func() bool {
		s := h.Status()[0]
		return s.State == host.StateRunning && s.PID != pid
	})
}

// A script is opened by its interpreter, by its path: another one is refused.
func TestReplacedScriptIsNotStarted(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := script(t, dir, "test", "exec "+self)
	h := mustStart(t, host.Options{Dirs: []string{dir}, MinPause: time.Millisecond}, host.Spec{})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	script(t, dir, "test", "exit 0")
	if err := syscall.Kill(h.Status()[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "checksum error", func() bool { return strings.Contains(h.Status()[0].LastError, "checksum of") })
}

// A file that is written to in place is not the one that was checked.
func TestChangedFileIsNotStarted(t *testing.T) {
	t.Parallel()
	at, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, host.Prefix+"test")
	if err := os.WriteFile(path, self, 0o700); err != nil {
		t.Fatal(err)
	}
	h := mustStart(t, host.Options{Dirs: []string{dir}, MinPause: 3 * time.Second}, host.Spec{})
	if err := syscall.Kill(h.Status()[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a change between two lives", func() bool { // while it runs the system refuses it
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return false
		}
		defer f.Close()
		_, err = f.WriteString("x")
		return err == nil
	})
	eventually(t, "checksum error", func() bool { return strings.Contains(h.Status()[0].LastError, "checksum of") })
}

// alive reports whether the process runs. One that ended and waits for its
// parent to notice does not.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return len(state) > 0 && state[0] != 'Z' && state[0] != 'X'
}
