package e2e

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// child is a process that a test starts, kills and starts again.
type child struct {
	t       *testing.T
	program string
	args    []string
	env     []string
	log     string // file; what runs of the same child say is appended

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process is gone
	result error         // read it after exited
}

func (c *child) start() {
	c.t.Helper()
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(c.program, c.args...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithTests()
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
		c.t.Fatal(err)
	}
	c.cmd, c.exited = cmd, exited
}

func (c *child) running() bool {
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

// kill ends the process as a crash does.
func (c *child) kill() {
	c.t.Helper()
	kill(c.t, c.cmd.Process.Pid)
	<-c.exited
}

// stop ends the process as an operator does, and fails the test if it does not
// end well.
func (c *child) stop() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Fatal(err)
	}
	select {
	case <-c.exited:
		if c.result != nil {
			c.t.Errorf("%s ended with %v\n%s", c.args, c.result, c.logTail())
		}
	case <-time.After(time.Minute):
		c.kill()
		c.t.Errorf("%s did not stop within a minute\n%s", c.args, c.logTail())
	}
}

// end is for the end of a test.
func (c *child) end() {
	if c.t.Failed() {
		c.t.Logf("the end of the log:\n%s", c.logTail())
	}
	if c.running() {
		c.kill()
	}
}

func (c *child) logTail() string {
	b, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
