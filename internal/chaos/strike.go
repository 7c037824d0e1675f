package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/netfault"
)

// hits names what a fault works on. Two faults of one thing do not overlap, or
// one would heal the other.
func (w *world) hits(f Fault) string {
	switch f.Kind {
	case KillServer, CrashPoint, FreezeServer, FreezeLong:
		return fmt.Sprintf("server %d", f.Server)
	case CutSender, CutLedger:
		return fmt.Sprintf("%s %d", f.Kind, f.Server)
	case KillPlugin:
		return fmt.Sprintf("plugin %d %s", f.Server, f.How)
	default:
		return string(f.Kind)
	}
}

func (w *world) take(target string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[target] {
		return false
	}
	w.busy[target] = true
	return true
}

func (w *world) give(target string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.busy, target)
}

// strike injects a fault and returns when it is over. When ctx ends it ends the
// fault early.
func (w *world) strike(ctx context.Context, f Fault) error {
	n := w.nodes[f.Server]
	switch f.Kind {
	case KillServer:
		n.kill(f.For, "")
		if f.Amount == 0 && sleep(ctx, f.For+200*time.Millisecond) {
			n.kill(0, "")
		}
		n.awaitUp(ctx)
		return nil
	case CrashPoint:
		n.kill(f.For, f.How+":"+strconv.FormatInt(f.Amount, 10))
		return w.awaitCrash(ctx, n)
	case FreezeServer, FreezeLong:
		if err := n.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		sleep(ctx, f.For)
		return n.signal(syscall.SIGCONT)
	case KillPlugin:
		return n.killPlugin(ctx, f.How)
	case KillTemporal:
		if err := w.cluster.Kill(); err != nil {
			return err
		}
		sleep(ctx, f.For)
		return w.cluster.Start()
	case RestartPostgres:
		w.keepOut(f.For, w.nodes...)
		if err := w.postgres.Crash(); err != nil {
			return err
		}
		sleep(ctx, f.For)
		return w.postgres.Launch(context.WithoutCancel(ctx))
	case FullDisk:
		return w.fillDisk(ctx, n, f.For)
	case ClockJump:
		return w.setClock(f.Amount)
	case CutSender:
		return during(ctx, n.door, f)
	case CutLedger:
		w.keepOut(f.For, n)
		return during(ctx, n.ledger, f)
	case CutPostgres:
		return during(ctx, w.database, f)
	case CutTemporal:
		return during(ctx, w.frontend, f)
	case BadReceiver:
		w.receiver.misbehave(f.How, time.Duration(f.Amount)*time.Millisecond)
		sleep(ctx, f.For)
		w.receiver.behave()
		return nil
	}
	return fmt.Errorf("%s is no fault", f.Kind)
}

// during lets a wire suffer for the time of a fault.
func during(ctx context.Context, w *netfault.Wire, f Fault) error {
	if err := w.Suffer(f.How, f.Amount); err != nil {
		return err
	}
	sleep(ctx, f.For)
	return w.Heal()
}

// crashTime is how long a crash point may take to be passed often enough. A
// server that has not passed it by then does so later, or is killed before.
const crashTime = 15 * time.Second

func (w *world) awaitCrash(ctx context.Context, n *node) error {
	n.awaitUp(ctx)
	deadline := time.Now().Add(crashTime)
	for n.armed() && time.Now().Before(deadline) && sleep(ctx, 20*time.Millisecond) {
	}
	if n.armed() {
		n.kill(0, "") // it waits for no crash now
	}
	n.awaitUp(ctx)
	return nil
}

// fillDisk fills the file system of the node's data directory to the last byte.
func (w *world) fillDisk(ctx context.Context, n *node, d time.Duration) error {
	ballast := filepath.Join(n.DataDir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		return err
	}
	w.excuse(n)
	chunk := make([]byte, 1<<20)
	for len(chunk) > 0 {
		if _, err = f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			chunk, err = chunk[:len(chunk)/16], nil
		}
		if err != nil {
			break
		}
	}
	sleep(ctx, d)
	w.excuse(n)
	return errors.Join(err, f.Close(), os.Remove(ballast))
}

// setClock writes by how many seconds the servers' clock is off from now on.
func (w *world) setClock(seconds int64) error {
	return os.WriteFile(w.clock, fmt.Appendf(nil, "%d\n", seconds), 0o600)
}
