package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	superuser = "postgres"
	startTime = 60 * time.Second
	stopTime  = 10 * time.Second
)

// server is a running PostgreSQL.
type server struct {
	dir    string
	port   int
	safe   bool // what is committed survives
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process is gone
}

var errMissing = errors.New("PostgreSQL is missing: run make test, which installs it (Debian: apt-get install postgresql)")

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

func start(safe bool) (*server, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	postgres, err := find("postgres")
	if err != nil {
		return nil, err
	}
	sweep()
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	// Short, as the path of a socket must be, and open to other users on its way.
	dir, err := os.MkdirTemp("/tmp", fmt.Sprintf("%s%d-", prefix, os.Getpid()))
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, safe: safe}
	if err := s.boot(initdb, postgres, as); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func (s *server) boot(initdb, postgres string, as *syscall.Credential) error {
	if as != nil {
		if err := os.Chown(s.dir, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	c := exec.CommandContext(ctx, initdb, "-D", s.data(), "-U", superuser, "--auth=trust", "--no-locale", "-E", "UTF8", "--no-sync", "--no-instructions")
	c.Dir, c.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: as}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	// The port is free when asked for; another process may still be faster.
	var err error
	for range 3 {
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.launch(ctx, postgres, as); err == nil {
			return nil
		}
	}
	return fmt.Errorf("start postgres: %w\n%s", err, s.logTail())
}

func (s *server) data() string    { return filepath.Join(s.dir, "data") }
func (s *server) logFile() string { return filepath.Join(s.dir, "log") }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

func (s *server) launch(ctx context.Context, postgres string, as *syscall.Credential) error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	options := []string{"-D", s.data(), "-k", s.dir, "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)}
	settings := []string{"shared_buffers=64MB", "max_connections=100", "max_wal_size=1GB", "log_min_messages=warning"}
	if !s.safe {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
	}
	for _, o := range settings {
		options = append(options, "-c", o)
	}
	s.cmd = exec.Command(postgres, options...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	s.cmd.SysProcAttr = dieWithParent(&syscall.SysProcAttr{Credential: as, Setpgid: true})

	started := make(chan error)
	s.exited = make(chan struct{})
	go func() {
		defer close(s.exited)
		// The kernel takes the thread that started a child for its parent: this
		// one must live as long as the server.
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
		return err
	}
	return nil
}

// await returns when the server answers.
func (s *server) await(ctx context.Context) error {
	for {
		c, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-s.exited:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the server at once: nothing in it is worth keeping.
func (s *server) stop() error {
	s.end()
	return os.RemoveAll(s.dir)
}

func (s *server) end() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-s.exited:
	case <-time.After(stopTime):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

// unprivileged returns whom to run as: PostgreSQL refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil && uid != 0 {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

const prefix = "sluice-pgtest-"

// sweep removes what test processes left behind that were killed.
func sweep() {
	old, _ := filepath.Glob("/tmp/" + prefix + "*")
	for _, dir := range old {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		pid, err := strconv.Atoi(id)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir)
		}
	}
}
