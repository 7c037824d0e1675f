package host

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// outputDelay bounds the wait for the output of a process that has ended, in
// case that a process it started holds the pipes.
const outputDelay = 2 * time.Second

// child is one plugin process. It implements go-plugin's runner.Runner, because
// go-plugin's own gives the plugin the host's standard input, lets nobody know
// when the process ends, and panics on log lines that it does not expect.
type child struct {
	cmd      *exec.Cmd
	lifeline *os.File // the host's end of the plugin's standard input
	stdout   *io.PipeReader
	out      *io.PipeWriter
	stderr   *lineLogger
	pid      atomic.Int64
	killed   atomic.Bool
	done     chan struct{} // closed when the process has ended

	confinement *confinement
	cause       error // how it ended; set before done is closed
}

func newChild(cmd *exec.Cmd, stderr *lineLogger) *child {
	c := &child{cmd: cmd, stderr: stderr, done: make(chan struct{})}
	cmd.Stderr = stderr
	c.stdout, c.out = io.Pipe()
	cmd.Stdout = c.out
	cmd.WaitDelay = outputDelay
	ownGroup(cmd)
	return c
}

// Start starts the process and the one goroutine that waits for its end.
func (c *child) Start(context.Context) error {
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		return err
	}
	c.cmd.Stdin = stdin
	closeOnExec()
	err = c.cmd.Start()
	_ = stdin.Close()
	if err != nil {
		_ = lifeline.Close()
		_ = c.out.Close()
		c.confinement.over()
		return err
	}
	limited := c.confinement.begun(c.cmd.Process.Pid)
	c.lifeline = lifeline
	c.pid.Store(int64(c.cmd.Process.Pid))
	go c.wait()
	if limited != nil {
		c.killed.Store(true)
		_ = killGroup(c.cmd.Process)
		return limited
	}
	if c.killed.Load() { // while it started
		return killGroup(c.cmd.Process)
	}
	return nil
}

func (c *child) wait() {
	err := c.cmd.Wait()
	c.cause = errors.New("unknown end")
	if state := c.cmd.ProcessState; state != nil {
		c.cause = errors.New(state.String())
	} else if err != nil {
		c.cause = err
	}
	_ = killGroup(c.cmd.Process) // what it started and left behind
	c.confinement.over()
	_ = c.lifeline.Close()
	c.stderr.end()
	close(c.done) // before the end of the output, on which go-plugin acts
	_ = c.out.Close()
}

// release asks the process to stop: its standard input ends.
func (c *child) release() { _ = c.lifeline.Close() }

// Wait implements runner.Runner.
func (c *child) Wait(context.Context) error {
	<-c.done
	return nil
}

// Kill ends the process, and what it started, without asking.
func (c *child) Kill(context.Context) error {
	select {
	case <-c.done:
		return nil // the number may belong to another process by now
	default:
	}
	c.killed.Store(true)
	if c.pid.Load() == 0 { // not started, or Start sees it
		return nil
	}
	return killGroup(c.cmd.Process)
}

// Stdout implements runner.Runner: the handshake arrives there.
func (c *child) Stdout() io.ReadCloser { return c.stdout }

// Stderr has nothing for go-plugin: lines go from the process to the log directly.
func (c *child) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (c *child) Name() string { return c.cmd.Path }

// ID implements runner.Runner.
func (c *child) ID() string { return strconv.FormatInt(c.pid.Load(), 10) }

// Diagnose implements runner.Runner.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner: both ends see the same files.
func (c *child) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin implements runner.Runner.
func (c *child) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}
