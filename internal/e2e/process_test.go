package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a running program, as /proc shows it.
type process struct {
	pid, parent int
	program     string // path of the binary
}

func (p process) String() string { return fmt.Sprintf("%s (%d)", filepath.Base(p.program), p.pid) }

// processes lists what runs and is wanted. One that ended and only waits for
// its parent to look does not run.
func processes(want func(process) bool) []process {
	var out []process
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if p, ok := processByID(pid); ok && want(p) {
			out = append(out, p)
		}
	}
	return out
}

func processByID(pid int) (process, bool) {
	p := process{pid: pid}
	dir := fmt.Sprintf("/proc/%d", pid)
	var err error
	if p.program, err = os.Readlink(dir + "/exe"); err != nil {
		return p, false
	}
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return p, false
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 || fields[0] == "Z" {
		return p, false
	}
	p.parent, err = strconv.Atoi(fields[1])
	return p, err == nil
}

// children lists the plugin processes of a server.
func children(pid int) []process {
	return processes(func(p process) bool { return p.parent == pid && strings.HasPrefix(p.program, scratch) })
}

// gone waits until the processes ended by themselves.
func gone(t *testing.T, list []process) {
	t.Helper()
	for _, p := range list {
		eventually(t, 10*time.Second, fmt.Sprintf("%v to end with its server", p), func() bool {
			now, ok := processByID(p.pid)
			return !ok || now.program != p.program
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
