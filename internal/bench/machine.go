package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// Machine is where a run took place.
type Machine struct {
	CPU        string
	Cores      int
	MemoryGiB  int
	System     string // operating system, architecture and kernel
	FileSystem string // of the data directories
	Go         string
	PostgreSQL string
}

// thisMachine describes the machine; what it cannot find out stays empty.
func thisMachine(dir, postgres string) Machine {
	m := Machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), PostgreSQL: postgres}
	m.CPU = procValue("/proc/cpuinfo", "model name")
	if kib, err := strconv.Atoi(strings.TrimSuffix(procValue("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		m.MemoryGiB = (kib + 1<<19) >> 20
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += ", kernel " + strings.TrimSpace(string(b))
	}
	m.FileSystem = fileSystem(dir)
	return m
}

// procValue returns the value of the first line "name : value".
func procValue(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// fileSystem is the type of the file system that holds dir: that of the longest
// mount point above it.
func fileSystem(dir string) string {
	b, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return ""
	}
	longest, kind := "", ""
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 3 || len(f[1]) < len(longest) {
			continue
		}
		if point := strings.TrimSuffix(f[1], "/"); dir == point || strings.HasPrefix(dir, point+"/") {
			longest, kind = f[1], f[2]
		}
	}
	return kind
}

// commit is the commit of the sources, with a mark if they were changed since.
func commit(ctx context.Context, root string) string {
	c := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
	c.Dir = root
	out, err := c.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// ownCPU is what this process has used so far, in seconds.
func ownCPU() (float64, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read the usage of this process: %w", err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime), nil
}
