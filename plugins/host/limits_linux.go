package host

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// confinement holds the limits of one process: by a control group of its own
// where Sluice was given some to make, by limits of the process otherwise.
type confinement struct {
	limits Limits
	group  string   // directory of the control group; empty: none
	open   *os.File // the same, until the process is in it
}

// confine prepares what holds the limits, before the process is started.
func confine(l Limits, name string, cmd *exec.Cmd, log *slog.Logger) (*confinement, error) {
	c := &confinement{limits: l}
	if l.Memory == 0 && l.CPU == 0 {
		return c, nil
	}
	parent, err := delegated("/proc/self/cgroup", "/sys/fs/cgroup")
	if err == nil {
		err = c.enter(parent, fmt.Sprintf("plugin-%s-%d-%d", name, os.Getpid(), time.Now().UnixNano()), cmd)
	}
	if err != nil {
		log.Debug("no control group for the plugin", "err", err)
		if l.CPU > 0 {
			log.Warn("limits.cpu holds plugins written in Go only, as GOMAXPROCS: there is no control group to use", "cpu", l.CPU,
				"hint", "with systemd: Delegate=cpu memory and DelegateSubgroup=sluice")
		}
	}
	return c, nil
}

// begun sets the limits of a process that has just been started. What it did
// before cannot have been much.
func (c *confinement) begun(pid int) error {
	if c.open != nil {
		_ = c.open.Close()
		c.open = nil
	}
	set := func(what string, resource int, to int64) error {
		limit := unix.Rlimit{Cur: uint64(to), Max: uint64(to)}
		if err := unix.Prlimit(pid, resource, &limit, nil); err != nil {
			return &UnlimitedError{What: what, Why: fmt.Sprintf("prlimit: %v", err)}
		}
		return nil
	}
	if c.limits.OpenFiles > 0 {
		if err := set("open_files", unix.RLIMIT_NOFILE, int64(c.limits.OpenFiles)); err != nil {
			return err
		}
	}
	if c.limits.Memory > 0 && c.group == "" {
		// Not the address space: programs in Go reserve far more than they use.
		return set("memory", unix.RLIMIT_DATA, c.limits.Memory)
	}
	return nil
}

// over removes the group of a process that has ended, with what is left in it.
func (c *confinement) over() {
	if c.open != nil { // it was never started
		_ = c.open.Close()
	}
	if c.group == "" {
		return
	}
	_ = os.WriteFile(filepath.Join(c.group, "cgroup.kill"), []byte("1"), 0)
	for range 100 {
		if err := os.Remove(c.group); !errors.Is(err, unix.EBUSY) {
			return
		}
		time.Sleep(10 * time.Millisecond) // the kernel has not seen its last process end
	}
}

// controllers are what a group needs.
const controllers = "+cpu +memory"

// enter makes a group with the limits and lets cmd start in it.
func (c *confinement) enter(parent, name string, cmd *exec.Cmd) error {
	if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte(controllers), 0); err != nil {
		return err
	}
	group := filepath.Join(parent, name)
	if err := os.Mkdir(group, 0o755); err != nil {
		return err
	}
	c.group = group
	err := c.fill()
	if err == nil {
		c.open, err = os.Open(group)
	}
	if err != nil {
		c.over()
		c.group = ""
		return err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &unix.SysProcAttr{}
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(c.open.Fd())
	return nil
}

func (c *confinement) fill() error {
	put := func(file, value string) error {
		return os.WriteFile(filepath.Join(c.group, file), []byte(value), 0o644)
	}
	if m := c.limits.Memory; m > 0 {
		if err := put("memory.max", fmt.Sprint(m)); err != nil {
			return err
		}
		_ = put("memory.swap.max", "0")  // not there without swap
		_ = put("memory.oom.group", "1") // half a plugin is none
	}
	if p := c.limits.CPU; p > 0 {
		const period = 100_000 // microseconds
		return put("cpu.max", fmt.Sprintf("%d %d", max(int(math.Round(p*period)), 1000), period))
	}
	return nil
}

// delegated is the directory in which Sluice may make control groups: the parent
// of its own group, if systemd has given it away. Anything else belongs to
// somebody else, writable or not.
func delegated(self, mount string) (string, error) {
	b, err := os.ReadFile(self)
	if err != nil {
		return "", err
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		path, ok := strings.CutPrefix(line, "0::")
		if !ok || path == "/" {
			continue
		}
		parent := filepath.Dir(filepath.Join(mount, path))
		for _, mark := range []string{"user.delegate", "trusted.delegate"} {
			value := make([]byte, 8)
			if n, err := unix.Getxattr(parent, mark, value); err == nil && string(value[:n]) == "1" {
				return parent, nil
			}
		}
		return "", fmt.Errorf("%s was not delegated to this process", parent)
	}
	return "", errors.New("this process is in no control group (version 2) of its own")
}

// closeOnExec keeps what this process has open, and got from who started it,
// away from plugins. Go's own files are closed already.
func closeOnExec() {
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}
