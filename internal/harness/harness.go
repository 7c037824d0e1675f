// Package harness runs Sluice as a black box: its binaries, in processes of
// their own, with a configuration, a data directory and ports that nobody else
// has. Tests, benchmarks and fault drivers build on it. It reads nothing from
// inside Sluice but the admin API, and decides nothing: callers say when a server
// starts, ends, and how. PostgreSQL for ledgers and destinations comes from
// package pgserver.
package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/proc"
)

// APIKey is what the source asks for in the header api_key, unless [Options].Auth
// says something else.
const APIKey = "harness-key"

// Path is where the source takes webhooks.
const Path = "/webhooks/rootfi"

// Options are what differs between servers. Section contents are YAML in one
// line, without the outer braces: `embedded: {retention: 1h}`.
type Options struct {
	Sluice  string // path of the program
	Plugins string // folder of the plugins; empty: beside the program, as [Build] puts them
	Dir     string // exists; for the configuration, the data and the log

	Server   string   // more of the section server
	Ledger   string   // the section ledger
	Temporal string   // the section temporal; empty: embedded, on free ports
	Dispatch string   // the section dispatch
	LogLevel string   // empty: info
	Auth     string   // one item of the source's auth; empty: a header with APIKey
	Rest     string   // whole lines: destinations and routes
	Args     []string // more arguments of sluice serve
	Env      []string // besides this process's own
}

// Server is a `sluice serve`. Besides what [proc.Child] can do (Kill, Stop,
// Freeze, Continue, …) it knows its addresses.
type Server struct {
	proc.Child
	Config  string // path
	DataDir string
	URL     string // where webhooks go
	Admin   string // address
	UI      string // address of the embedded Temporal's web UI
	// Temporal is the address of the embedded Temporal.
	Temporal string
	Client   *admin.Client
}

// New writes the configuration. Nothing runs yet: Start starts it.
func New(o Options) (*Server, error) {
	ports, err := proc.FreePorts(4)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Config: filepath.Join(dir, "sluice.yaml"), DataDir: filepath.Join(dir, "data"),
		URL: "http://" + ports[0] + Path, Admin: ports[1], UI: ports[2], Temporal: ports[3],
		Client: admin.NewClient(ports[1], ""),
	}
	if o.Temporal == "" {
		o.Temporal = fmt.Sprintf("embedded: {listen: %q, ui: %q}", ports[3], ports[2])
	}
	if o.Auth == "" {
		o.Auth = fmt.Sprintf("header: {name: api_key, value: %q}", APIKey)
	}
	if o.LogLevel == "" {
		o.LogLevel = "info"
	}
	// A server that must stop does it within the patience of whoever waits.
	server := fmt.Sprintf("listen: %q, admin: %q, shutdown_timeout: 10s", ports[0], ports[1])
	if o.Server != "" {
		server += ", " + o.Server
	}
	text := fmt.Sprintf("server: {%s}\ndata_dir: %q\nlog: {level: %s}\ntemporal: {%s}\n", server, s.DataDir, o.LogLevel, o.Temporal)
	for name, section := range map[string]string{"ledger": o.Ledger, "dispatch": o.Dispatch} {
		if section != "" {
			text += fmt.Sprintf("%s: {%s}\n", name, section)
		}
	}
	if o.Plugins != "" {
		text += fmt.Sprintf("plugin_dirs: [%q]\n", o.Plugins)
	}
	text += fmt.Sprintf("sources:\n  rootfi:\n    type: rootfi\n    auth:\n      - %s\n", o.Auth) + o.Rest
	if err := os.WriteFile(s.Config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	s.Child = proc.Child{
		Program: o.Sluice, Args: append([]string{"serve", "-c", s.Config}, o.Args...), Env: o.Env, Log: filepath.Join(dir, "log"),
	}
	return s, nil
}

// Address is where the endpoint listens.
func (s *Server) Address() string {
	return strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), Path)
}

// Up waits until a started server accepts webhooks.
func (s *Server) Up(ctx context.Context) error {
	return s.Wait(ctx, "accept webhooks", func() bool {
		conn, err := net.Dial("tcp", s.Address())
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// Ready waits until all parts of a started server are well.
func (s *Server) Ready(ctx context.Context) error {
	return s.Wait(ctx, "get ready", func() bool {
		r, err := s.Client.Ready(ctx)
		return err == nil && r.Status == admin.StatusReady
	})
}

// patience is for the slowest machine that tests run on.
const patience = 90 * time.Second

// Wait polls until ok, and fails when the server ends, the context does, or a
// minute and a half has passed.
func (s *Server) Wait(ctx context.Context, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it takes too long"))
	defer cancel()
	for !ok() {
		select {
		case <-s.Exited():
			return fmt.Errorf("waited for sluice to %s: it ended: %w\n%s", what, s.Result(), s.LogTail(40))
		case <-ctx.Done():
			return fmt.Errorf("waited for sluice to %s: %w\n%s", what, context.Cause(ctx), s.LogTail(40))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Plugins lists the processes of the server's plugins.
func (s *Server) Plugins() []proc.Process {
	pid := s.PID()
	return proc.List(func(p proc.Process) bool { return p.Parent == pid })
}
