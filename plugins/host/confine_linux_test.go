package host

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A control group is made beside Sluice's own, where that was given away. The
// files are what the kernel would read.
func TestControlGroup(t *testing.T) {
	mount := t.TempDir()
	parent := filepath.Join(mount, "system.slice", "sluice.service")
	if err := os.MkdirAll(filepath.Join(parent, "sluice"), 0o755); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(t.TempDir(), "cgroup")
	if err := os.WriteFile(self, []byte("4:memory:/x\n0::/system.slice/sluice.service/sluice\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := delegated(self, mount); err == nil {
		t.Fatalf("%s is taken though nobody gave it", got)
	}
	if err := unix.Setxattr(parent, "user.delegate", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	got, err := delegated(self, mount)
	if err != nil || got != parent {
		t.Fatalf("%q, %v, want %s", got, err, parent)
	}
	c := &confinement{limits: Limits{Memory: 512 << 20, CPU: 0.5}}
	cmd := exec.Command("true")
	if err := c.enter(parent, "plugin-x", cmd); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"cgroup.subtree_control": "+cpu +memory", "plugin-x/memory.max": "536870912", "plugin-x/memory.oom.group": "1", "plugin-x/cpu.max": "50000 100000",
	} {
		if b, err := os.ReadFile(filepath.Join(parent, file)); err != nil || string(b) != want {
			t.Errorf("%s is %q, %v, want %q", file, b, err, want)
		}
	}
	if a := cmd.SysProcAttr; a == nil || !a.UseCgroupFD || a.CgroupFD != int(c.open.Fd()) {
		t.Errorf("the process does not start in its group: %+v", a)
	}
	if err := c.begun(os.Getpid()); err != nil || c.open != nil {
		t.Errorf("%v, open %v", err, c.open)
	}
}

func TestWithoutControlGroup(t *testing.T) {
	self := filepath.Join(t.TempDir(), "cgroup")
	for name, content := range map[string]string{"the root": "0::/\n", "version 1": "4:memory:/x\n", "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(self, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := delegated(self, t.TempDir()); err == nil {
				t.Errorf("got %s", got)
			}
		})
	}
	c, err := confine(Limits{Memory: 1 << 40}, "x", exec.Command("true"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.begun(1 << 30); err == nil { // no such process
		t.Error("a limit that cannot be set is no error")
	} else if _, ok := errors.AsType[*UnlimitedError](err); !ok {
		t.Errorf("%v", err)
	}
	c.over()
}
