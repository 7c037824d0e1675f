// Package pgserver runs a throw-away PostgreSQL: a server of its own in a
// temporary folder, on a free port, that ends with the process that started it,
// however that ends. As it comes it keeps nothing safe, which is quick; with
// [Options].Durable it keeps PostgreSQL's own settings, so that it can be killed,
// restarted and measured. It needs PostgreSQL's programs on the machine.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/proc"
)

const (
	superuser = "postgres"
	startTime = 60 * time.Second
	stopTime  = 10 * time.Second
)

// Options are how a server runs. The zero value is right for tests.
type Options struct {
	// Durable leaves fsync, synchronous_commit, full_page_writes and autovacuum
	// as PostgreSQL has them: on.
	Durable bool
	// Settings are more settings, each "name=value".
	Settings []string
	// Parent is the folder in which the server's own is made: /tmp if empty. The
	// path must be short and open to other users, because PostgreSQL does not run
	// as root.
	Parent string
}

// Server is a PostgreSQL. One goroutine at a time may call its methods, but URL
// and CreateDatabase are for all.
type Server struct {
	child   proc.Child
	dir     string
	address string
}

// Start makes a new, empty server and waits until it answers.
func Start(ctx context.Context, o Options) (*Server, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := find("postgres")
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	if o.Parent == "" {
		o.Parent = "/tmp"
	}
	sweep(o.Parent)
	dir, err := os.MkdirTemp(o.Parent, fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	s.child = proc.Child{
		Program: postgres, Dir: dir, Log: filepath.Join(dir, "log"), As: as,
		// PostgreSQL's own quick end, which takes its processes along.
		Orphaned: syscall.SIGQUIT,
	}
	if err := s.boot(ctx, initdb, o); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) boot(ctx context.Context, initdb string, o Options) error {
	if as := s.child.As; as != nil {
		if err := os.Chown(s.dir, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	c := exec.CommandContext(ctx, initdb, "-D", s.data(), "-U", superuser, "--auth=trust", "--no-locale", "-E", "UTF8", "--no-sync", "--no-instructions")
	c.Dir, c.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.child.As}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	settings := []string{"log_min_messages=warning"}
	if !o.Durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=64MB")
	}
	settings = append(settings, o.Settings...)
	// The port is free when asked for; a process that claims none may still be faster.
	for range 3 {
		address, err := proc.FreePorts(1)
		if err != nil {
			return err
		}
		s.address = address[0]
		host, port, err := net.SplitHostPort(s.address)
		if err != nil {
			return err
		}
		s.child.Args = []string{"-D", s.data(), "-k", s.dir, "-h", host, "-p", port}
		for _, setting := range settings {
			s.child.Args = append(s.child.Args, "-c", setting)
		}
		if err = s.launch(ctx); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return fmt.Errorf("start postgres: it ended at once\n%s", s.LogTail())
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Dir is the folder of everything that the server has.
func (s *Server) Dir() string { return s.dir }

// Address is where the server listens, also after a restart.
func (s *Server) Address() string { return s.address }

// PID is the process id of the server's first process, the parent of the others.
func (s *Server) PID() int { return s.child.PID() }

// LogTail returns the end of the server's log, for messages.
func (s *Server) LogTail() string { return s.child.LogTail(20) }

// URL is the connection string of a database. The user is a superuser without a
// password.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(superuser), Host: s.address,
		Path: database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// CreateDatabase makes an empty database and returns its connection string.
func (s *Server) CreateDatabase(ctx context.Context, name string) (string, error) {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	_, err = c.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" TEMPLATE template0")
	if err := errors.Join(err, c.Close(ctx)); err != nil {
		return "", fmt.Errorf("create database %s: %w", name, err)
	}
	return s.URL(name), nil
}

// Version is the server's version, such as 17.2.
func (s *Server) Version(ctx context.Context) (string, error) {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	var v string
	err = c.QueryRow(ctx, "SHOW server_version").Scan(&v)
	v, _, _ = strings.Cut(v, " ") // what the distribution says of itself
	return v, err
}

// launch starts the process and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	return s.child.Launch(ctx, func(ctx context.Context) error {
		c, err := pgx.Connect(ctx, s.URL("postgres"))
		if err != nil {
			return err
		}
		return c.Close(ctx)
	})
}

// Crash ends the server at once and saves nothing: its next start recovers from
// the write-ahead log. All its processes are gone when Crash returns.
func (s *Server) Crash() error { return s.halt(syscall.SIGQUIT) }

// Shutdown ends the server in order: connections are cut, everything is saved.
func (s *Server) Shutdown() error { return s.halt(syscall.SIGINT) }

// Launch starts a server again that crashed or was shut down, at the same
// address, and waits until it answers.
func (s *Server) Launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return s.launch(ctx)
}

func (s *Server) halt(sig syscall.Signal) error {
	if !s.child.Running() {
		return nil
	}
	if err := s.child.Signal(sig); err != nil {
		return err
	}
	select {
	case <-s.child.Exited(): // with a status that says how
		return nil
	case <-time.After(stopTime):
		return errors.Join(fmt.Errorf("postgres did not stop within %v", stopTime), s.child.Kill())
	}
}

// Stop ends the server at once and removes all it had.
func (s *Server) Stop() error {
	return errors.Join(s.Crash(), os.RemoveAll(s.dir))
}

var errMissing = errors.New("PostgreSQL is missing: run make test-deps, which installs it (Debian: apt-get install postgresql)")

// find returns the path of one of PostgreSQL's programs. Debian keeps them out of
// PATH, one folder per version; the newest is taken.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if err != nil || len(found) == 0 {
		return "", errMissing
	}
	return slices.MaxFunc(found, func(a, b string) int { return release(a) - release(b) }), nil
}

func release(path string) int {
	n, err := strconv.Atoi(strings.Split(path, "/")[4])
	if err != nil {
		return 0
	}
	return n
}
