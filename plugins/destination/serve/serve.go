// Package serve turns a [destination.Destination] into a plugin process. A
// plugin's main is one line:
//
//	func main() { serve.Main(&crm{}) }
//
// Main speaks gRPC with the host, hides panics behind errors, checks that there
// is one result per record, and ends the process when the host stops it or dies.
// What the plugin logs through log/slog or log arrives in the host's log under
// the destination's name; never log contents of records.
//
// [Schema] and [Decode] make settings from a struct: one for
// Description.ConfigSchema, the other for Configure.
package serve

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/wire"
	"google.golang.org/grpc"
)

// settle bounds the wait for calls in progress when the process stops. Their
// context is cancelled by then.
const settle = 3 * time.Second

// closing bounds Close when the process stops.
const closing = 5 * time.Second

// Main serves d and does not return. When the process has to stop, the contexts
// of calls in progress are cancelled; then, if d is an [io.Closer], it is closed.
func Main(d destination.Destination) {
	os.Exit(run(d, os.Stdin, os.Stderr))
}

func run(d destination.Destination, stdin io.Reader, stderr io.Writer) int {
	handshake := wire.Handshake()
	if os.Getenv(handshake.MagicCookieKey) != handshake.MagicCookieValue {
		fmt.Fprintf(stderr, "%s is a destination plugin: Sluice starts it.\n"+
			"Put it into Sluice's plugin directory and name it under destinations in sluice.yaml;\n"+
			"`sluice plugins list` shows what is found.\n", filepath.Base(os.Args[0]))
		return 2
	}
	setLogger(stderr)
	// Sluice starts the open file, whose name the system shows otherwise.
	_ = os.WriteFile("/proc/self/comm", []byte(filepath.Base(os.Args[0])), 0)

	// A service manager sends these to the whole group, but calls in progress
	// shall end first: the host decides when the plugin stops.
	hostDies := make(<-chan struct{})
	if os.Getenv(wire.EnvLifeline) == "stdin" {
		signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		hostDies = endOf(stdin)
	}

	rareCollections()
	g := newGuard(d, stderr)
	served := make(chan struct{})
	go func() {
		defer close(served)
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig:  handshake,
			VersionedPlugins: wire.Plugins(g),
			Logger: hclog.New(&hclog.LoggerOptions{
				Output: stderr, JSONFormat: true, Level: hclog.Warn,
			}),
			GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
				return grpc.NewServer(append(opts, wire.ServerOptions()...)...)
			},
		})
	}()
	select {
	case <-served:
	case <-hostDies:
		removeSocket()
	}
	return g.stop()
}

// rareCollections lets the heap grow to five times what lives before it is
// collected. Next to nothing lives in a plugin but the batch that it writes, so
// Go's default collects several times per batch. GOGC in the destination's env
// says otherwise.
func rareCollections() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// endOf closes its channel at the end of r. The host holds the other end of the
// pipe and never writes to it, so the end comes when it stops the plugin or dies,
// however it dies.
func endOf(r io.Reader) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, r)
	}()
	return done
}

// removeSocket removes the directory that the host made for the socket, which a
// host that was killed leaves behind.
func removeSocket() {
	dir := os.Getenv(plugin.EnvUnixSocketDir)
	if dir == "" {
		return
	}
	sockets, _ := filepath.Glob(filepath.Join(dir, "plugin*"))
	for _, s := range sockets {
		_ = os.Remove(s)
	}
	_ = os.Remove(dir)
}

// stop ends the calls in progress and closes the destination.
func (g *guard) stop() int {
	g.cancel()
	within(settle, g.calls.Wait)
	closer, ok := g.destination.(io.Closer)
	if !ok {
		return 0
	}
	err := context.DeadlineExceeded
	var closed error
	if within(closing, func() { closed = g.recover("close", closer.Close) }) {
		err = closed
	}
	if err != nil {
		slog.Error("close destination", "err", err)
		return 1
	}
	return 0
}

// within reports whether f returned in time. The process ends soon after, so a
// late f is left to itself.
func within(limit time.Duration, f func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}
