package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/fault"
	"github.com/sluicehq/sluice/internal/harness"
	"github.com/sluicehq/sluice/internal/netfault"
)

// node is one server under test. Somebody (keep) starts it again whenever it
// ends, as an init system does; faults only kill it.
type node struct {
	*harness.Server
	name   string
	door   *netfault.Wire // through which webhooks come
	ledger *netfault.Wire // to the database of its ledger, if that is PostgreSQL
	env    []string

	mu       sync.Mutex
	pid      int    // 0 while it does not run
	killed   bool   // this run was killed by a fault
	isUp     bool   // this run has accepted webhooks
	crash    string // point at which this run dies
	next     string // the same of the next run
	pause    time.Duration
	excused  time.Time // until then it may end by itself: a fault has not left it a choice
	unborn   time.Time // until then it may fail to start: its ledger is out of reach
	starts   int
	stopping bool
	done     chan struct{} // closed when keep has ended
}

// keep runs the server until stop.
func (n *node) keep(fail func(kind, format string, args ...any)) {
	defer close(n.done)
	for {
		n.mu.Lock()
		if n.stopping {
			n.mu.Unlock()
			return
		}
		n.Env = n.env
		n.crash, n.next = n.next, ""
		if n.crash != "" {
			n.Env = append(n.Env[:len(n.Env):len(n.Env)], fault.EnvCrash+"="+n.crash)
		}
		if err := n.Start(); err != nil {
			n.mu.Unlock()
			fail("driver", "start %s: %v", n.name, err)
			return
		}
		n.pid, n.killed, n.isUp = n.PID(), false, false
		n.starts++
		exited := n.Exited()
		n.mu.Unlock()

		n.watch(exited)
		n.mu.Lock()
		now := time.Now()
		expected := n.killed || n.stopping || n.crash != "" && killedBy(n.Result(), syscall.SIGKILL) ||
			now.Before(n.excused) || !n.isUp && now.Before(n.unborn)
		pause := n.pause
		if !n.killed && !n.stopping {
			pause = max(pause, 500*time.Millisecond) // as an init system does
		}
		n.pid, n.isUp, n.crash, n.pause = 0, false, "", 0
		n.mu.Unlock()
		if !expected {
			fail("server", "%s ended by itself: %v; the end of its log:\n%s", n.name, n.Result(), n.LogTail(15))
		}
		time.Sleep(pause)
	}
}

// watch notes when the server is up, and returns when it has ended.
func (n *node) watch(exited <-chan struct{}) {
	for {
		select {
		case <-exited:
			return
		case <-time.After(20 * time.Millisecond):
		}
		if conn, err := net.DialTimeout("tcp", n.Address(), time.Second); err == nil {
			conn.Close()
			n.mu.Lock()
			n.isUp = true
			n.mu.Unlock()
			<-exited
			return
		}
	}
}

func killedBy(err error, sig syscall.Signal) bool {
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := e.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == sig
}

// kill ends the server as a crash does. It starts again after the pause, with a
// crash point if one is named.
func (n *node) kill(pause time.Duration, crash string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next, n.pause = crash, pause
	if n.pid != 0 {
		n.killed, n.isUp = true, false
		_ = syscall.Kill(n.pid, syscall.SIGKILL) // it may have ended this moment
	}
}

// armed reports whether the server runs towards a crash point.
func (n *node) armed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.crash != "" || n.next != ""
}

func (n *node) signal(sig syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pid == 0 {
		return nil
	}
	if err := syscall.Kill(n.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("%v to %s: %w", sig, n.name, err)
	}
	return nil
}

// awaitUp waits a while for the server to accept webhooks. It need not succeed:
// other faults may keep it from it.
func (n *node) awaitUp(ctx context.Context) {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) && sleep(ctx, 20*time.Millisecond) {
		n.mu.Lock()
		up := n.isUp
		n.mu.Unlock()
		if up {
			return
		}
	}
}

// awaitReady waits until all parts of the server are well, whatever run it is.
func (n *node) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		r, err := n.Client.Ready(ctx)
		if err == nil && r.Status == admin.StatusReady {
			return nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("%s is not ready: %+v, %w\n%s", n.name, r, err, n.LogTail(15))
		}
	}
}

// killPlugin kills the process of a destination, if it has one now.
func (n *node) killPlugin(ctx context.Context, destination string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	list, err := n.Client.Destinations(ctx)
	if err != nil {
		return nil // the server is away, and its plugins with it
	}
	for _, d := range list {
		if d.Destination == destination && d.Process.PID != 0 {
			if err := syscall.Kill(d.Process.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
	return nil
}

// stop ends the server as an operator does.
func (n *node) stop() error {
	n.mu.Lock()
	n.stopping = true
	pid := n.pid
	n.mu.Unlock()
	if pid == 0 {
		<-n.done
		return nil
	}
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-n.done:
		if err := n.Result(); err != nil {
			return fmt.Errorf("%s ended with %w", n.name, err)
		}
		return nil
	case <-time.After(time.Minute):
		_ = n.signal(syscall.SIGKILL)
		<-n.done
		return fmt.Errorf("%s did not stop within a minute", n.name)
	}
}
