package proc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/proc"
)

func shell(t *testing.T, script string) *proc.Child {
	t.Helper()
	c := &proc.Child{Program: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "log"), Env: []string{"GREETING=hello"}}
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestAChildCanBeStartedAgain(t *testing.T) {
	c := shell(t, `echo "$GREETING $$"; exec sleep 100`)
	for run := 1; run <= 2; run++ {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err == nil {
			t.Error("it started while it ran")
		}
		line := fmt.Sprintf("hello %d", c.PID())
		eventually(t, "the child to speak", func() bool { return strings.HasSuffix(c.LogTail(1), line) })
		if got := len(strings.Split(c.LogTail(10), "\n")); got != run {
			t.Errorf("the log has %d lines after %d runs", got, run)
		}
		if err := c.Kill(); err != nil || c.Running() {
			t.Errorf("running %v after the kill: %v", c.Running(), err)
		}
	}
}

func TestStop(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		within time.Duration
		wrong  string // in the error; empty: none
	}{
		"well":   {`trap "exit 0" TERM; echo up; while :; do sleep 0.01; done`, 20 * time.Second, ""},
		"badly":  {`trap "exit 3" TERM; echo up; while :; do sleep 0.01; done`, 20 * time.Second, "exit status 3"},
		"by far": {`trap "" TERM; echo up; while :; do sleep 0.01; done`, 500 * time.Millisecond, "did not stop within"},
	} {
		t.Run(name, func(t *testing.T) {
			c := shell(t, tt.script)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the trap", func() bool { return c.LogTail(1) == "up" })
			err := c.Stop(tt.within)
			if (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("error %v, want %q", err, tt.wrong)
			}
			if c.Running() {
				t.Error("it runs")
			}
		})
	}
}

func TestFreeze(t *testing.T) {
	c := shell(t, `while :; do echo x; sleep 0.005; done`)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := os.Stat(c.Log)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	eventually(t, "output", func() bool { return size() > 10 })
	if err := c.Freeze(); err != nil {
		t.Fatal(err)
	}
	state := func() string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID()))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(b))[2]
	}
	eventually(t, "the stop", func() bool { return state() == "T" })
	frozen := size()
	if err := c.Continue(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "more output", func() bool { return size() > frozen })
}

// The parent of this test kills it while its child runs.
func TestToBeKilled(t *testing.T) {
	if os.Getenv("PROC_TO_BE_KILLED") == "" {
		return
	}
	c := &proc.Child{Program: "/bin/sleep", Args: []string{"1000"}, Log: filepath.Join(t.TempDir(), "log")}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("child", c.PID())
	<-c.Exited()
}

func TestAChildDiesWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0], "-test.run=^TestToBeKilled$")
	parent.Env = append(os.Environ(), "PROC_TO_BE_KILLED=1", "TMPDIR="+t.TempDir()) // its own is not removed
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "child "); ok {
			if pid, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if p, ok := proc.Find(pid); !ok || p.Parent != parent.Process.Pid {
		t.Errorf("the child is %v of %d, want of %d", p, p.Parent, parent.Process.Pid)
	}
	if err := parent.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, "the child to die", func() bool { _, ok := proc.Find(pid); return !ok })
}

func TestUsage(t *testing.T) {
	c := shell(t, `sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo done; exec sleep 100`)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the work", func() bool { return c.LogTail(1) == "done" })
	machine, err := proc.MachineCPU()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := proc.UsageOfTree(c.PID())
	if err != nil {
		t.Fatal(err)
	}
	alone, err := proc.UsageOf(c.PID())
	if err != nil {
		t.Fatal(err)
	}
	if tree.CPU <= alone.CPU || alone.Resident <= 0 {
		t.Errorf("the tree used %v, its root %v: the work of a child that ended is missing", tree.CPU, alone)
	}
	if machine < tree.CPU {
		t.Errorf("the machine used %v, one of its processes %v", machine, tree.CPU)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := proc.UsageOfTree(c.PID()); err == nil {
		t.Error("a process that is gone has a usage")
	}
}

func TestFreePortsAreGivenOnce(t *testing.T) {
	seen := make(map[string]bool)
	for range 10 {
		got, err := proc.FreePorts(3)
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range got {
			if seen[address] {
				t.Errorf("%s was given twice", address)
			}
			seen[address] = true
			if claim, err := net.ListenPacket("udp", address); err == nil {
				t.Errorf("%s is not claimed: another process would be given it", address)
				_ = claim.Close()
			}
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_ = l.Close()
		}
	}
}

func TestLaunchWaitsForAnAnswer(t *testing.T) {
	c := shell(t, `sleep 0.1; echo ready; exec sleep 100`)
	answers := func(context.Context) error {
		if c.LogTail(1) != "ready" {
			return errors.New("not yet")
		}
		return nil
	}
	nobody := func(context.Context) error { return errors.New("nobody there") }
	if err := c.Launch(t.Context(), answers); err != nil || !c.Running() {
		t.Errorf("running %v, %v", c.Running(), err)
	}
	if err := shell(t, "echo why; exit 3").Launch(t.Context(), nobody); err == nil || !strings.Contains(err.Error(), "ended at once\nwhy") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	silent := shell(t, "exec sleep 100")
	err := silent.Launch(ctx, func(ctx context.Context) error { cancel(); return nobody(ctx) })
	if err == nil || !strings.Contains(err.Error(), "does not answer: nobody there") || silent.Running() {
		t.Errorf("running %v, %v", silent.Running(), err)
	}
}
