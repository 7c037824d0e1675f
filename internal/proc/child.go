// Package proc starts, watches and ends the programs that tests, benchmarks and
// fault drivers run as their users do. A [Child] has a process group of its own
// and does not outlive the process that started it, however that ends (on Linux;
// elsewhere a killed parent leaves its children running). What runs, and what it
// used of the machine, comes from /proc.
package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Child is a program that can be started, ended, and started again. Fill in the
// fields before Start. One goroutine at a time may call its methods.
type Child struct {
	Program string
	Args    []string
	Env     []string // besides this process's own
	Dir     string
	Log     string // file; what runs of the same child say is appended

	// As is whom to run as; nil is whoever runs this process.
	As *syscall.Credential
	// Orphaned is the signal that the kernel sends to the child when this
	// process is gone; SIGKILL if zero.
	Orphaned syscall.Signal

	cmd    *exec.Cmd
	exited chan struct{}
	result error // read it after exited
}

// Start starts the program and returns at once.
func (c *Child) Start() error {
	if c.Running() {
		return fmt.Errorf("%s runs already", c)
	}
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.Program, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, log, log
	orphaned := c.Orphaned
	if orphaned == 0 {
		orphaned = syscall.SIGKILL
	}
	cmd.SysProcAttr = dieWithParent(&syscall.SysProcAttr{Setpgid: true, Credential: c.As}, orphaned)
	started, exited := make(chan error), make(chan struct{})
	go func() {
		defer close(exited)
		// The kernel takes the thread that started a child for its parent: this
		// one must live as long as the child.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.result = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", c, err)
	}
	c.cmd, c.exited = cmd, exited
	return nil
}

// Launch starts the program and waits until it answers. One that does not before
// the context ends is killed.
func (c *Child) Launch(ctx context.Context, answers func(context.Context) error) error {
	if err := c.Start(); err != nil {
		return err
	}
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.exited:
			return fmt.Errorf("%s ended at once\n%s", c, c.LogTail(20))
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not answer: %w", c, err), c.Kill())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// String is the name of the program.
func (c *Child) String() string { return filepath.Base(c.Program) }

// PID is the process id of the current run, or of the last one.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Exited is closed when the current run is over. Nil before the first Start.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// Result is how the last run ended. Call it after Exited is closed.
func (c *Child) Result() error { return c.result }

// Running reports whether the program was started and has not ended.
func (c *Child) Running() bool {
	if c.cmd == nil {
		return false
	}
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the process, but not to its children. That it ended
// already is no error.
func (c *Child) Signal(sig syscall.Signal) error {
	if c.cmd == nil {
		return fmt.Errorf("%s was not started", c)
	}
	if err := c.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to %s: %w", sig, c, err)
	}
	return nil
}

// Freeze stops the process as a long pause of a virtual machine does, until
// Continue. Its children go on.
func (c *Child) Freeze() error { return c.Signal(syscall.SIGSTOP) }

// Continue lets a frozen process go on.
func (c *Child) Continue() error { return c.Signal(syscall.SIGCONT) }

// Kill ends the process as a crash does and waits for its end. Its children are
// left to notice by themselves.
func (c *Child) Kill() error {
	if !c.Running() {
		return nil
	}
	if err := c.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-c.exited
	return nil
}

// Stop ends the process as an operator does, with SIGTERM, and waits for its
// end. It is an error if the process reports one, or has to be killed because
// the limit is over.
func (c *Child) Stop(limit time.Duration) error {
	if !c.Running() {
		return nil
	}
	return c.StopWith(syscall.SIGTERM, limit)
}

// StopWith is Stop with a signal of choice.
func (c *Child) StopWith(sig syscall.Signal, limit time.Duration) error {
	if err := c.Signal(sig); err != nil {
		return err
	}
	select {
	case <-c.exited:
		if c.result != nil {
			return fmt.Errorf("%s ended with %w: see %s", c, c.result, c.Log)
		}
		return nil
	case <-time.After(limit):
		return errors.Join(fmt.Errorf("%s did not stop within %v: see %s", c, limit, c.Log), c.Kill())
	}
}

// LogTail returns the last lines of the log, for messages.
func (c *Child) LogTail(lines int) string {
	b, err := os.ReadFile(c.Log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
