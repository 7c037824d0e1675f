package mariadbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver

	"github.com/sluicehq/sluice/internal/proc"
)

// Server is a MariaDB with a folder and a port of its own.
type Server struct {
	child   proc.Child
	dir     string
	address string
}

var errMissing = errors.New("MariaDB is missing: run make test-deps, which installs it (Debian: apt-get install mariadb-server-core)")

// find returns the path of the server's program, which is often not in PATH.
func find() (string, error) {
	for _, name := range []string{"mariadbd", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errMissing
}

// start makes a new, empty server and waits until it answers.
func start(args ...string) (_ *Server, err error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "sluice-mariadb-") // a short path: sockets have a limit
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if err := os.MkdirAll(filepath.Join(dir, "data", "mysql"), 0o700); err != nil {
		return nil, err
	}
	args = append([]string{
		"--no-defaults", // nothing of the machine's configuration
		"--datadir=" + filepath.Join(dir, "data"), "--tmpdir=" + dir, "--skip-log-bin", "--max-connections=500",
		"--innodb-log-file-size=32M", "--innodb-buffer-pool-size=64M",
	}, args...)
	if os.Geteuid() == 0 {
		args = append(args, "--user=root") // or it would refuse
	}
	if err := bootstrap(program, args); err != nil {
		return nil, err
	}
	addresses, err := proc.FreePorts(1)
	if err != nil {
		return nil, err
	}
	s.address = addresses[0]
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return nil, err
	}
	s.child = proc.Child{
		Program: program, Dir: dir, Log: filepath.Join(dir, "log"),
		Args: append(args, "--socket="+filepath.Join(dir, "s"), "--bind-address="+host, "--port="+port),
	}
	return s, s.launch()
}

// bootstrap makes the server's own tables.
func bootstrap(program string, args []string) error {
	readers := []io.Reader{strings.NewReader("USE mysql;\nSET @auth_root_socket=NULL;\n")}
	for _, name := range []string{"mysql_system_tables.sql", "mysql_system_tables_data.sql"} {
		found, err := filepath.Glob("/usr/share/m[ya]*/" + name) // mysql or mariadb
		if err != nil || len(found) == 0 {
			return errMissing
		}
		f, err := os.Open(found[0])
		if err != nil {
			return err
		}
		defer f.Close()
		readers = append(readers, f)
	}
	cmd := exec.Command(program, append(args, "--bootstrap")...)
	cmd.Stdin = io.MultiReader(readers...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the system tables: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) url(database string) string {
	return "mysql://root@" + s.address + "/" + database
}

// open is for the package's own statements.
func (s *Server) open() (*sql.DB, error) { return sql.Open("mysql", "root@tcp("+s.address+")/") }

func (s *Server) database(t testing.TB, name string) string {
	t.Helper()
	db, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("mariadbtest: %v\n%s", err, s.child.LogTail(20))
	}
	return s.url(name)
}

// launch starts the process and waits until it answers.
func (s *Server) launch() error {
	if err := s.child.Start(); err != nil {
		return err
	}
	db, err := s.open()
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-s.child.Exited():
			return fmt.Errorf("MariaDB ended at once\n%s", s.child.LogTail(20))
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("MariaDB does not answer: %w", err), s.child.Kill())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Crash ends the server at once, with all its connections.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	if err := s.child.Kill(); err != nil {
		t.Fatalf("mariadbtest: %v", err)
	}
}

// Start starts it again, at the same address.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.launch(); err != nil {
		t.Fatalf("mariadbtest: start again: %v", err)
	}
}

func (s *Server) stop() error {
	var err error
	if s.child.Running() {
		err = s.child.Kill()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
