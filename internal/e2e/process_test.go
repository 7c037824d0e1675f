package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/proc"
)

// children lists the plugin processes of a server.
func children(pid int) []proc.Process {
	return proc.List(func(p proc.Process) bool { return p.Parent == pid && strings.HasPrefix(p.Program, scratch) })
}

// gone waits until the processes ended by themselves.
func gone(t *testing.T, list []proc.Process) {
	t.Helper()
	for _, p := range list {
		eventually(t, 30*time.Second, fmt.Sprintf("%v to end with its server", p), func() bool {
			now, ok := proc.Find(p.PID)
			return !ok || now.Program != p.Program
		})
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		t.Fatalf("kill %d: %v", pid, err)
	}
}

// eventually polls until ok, and fails the test after the limit.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
