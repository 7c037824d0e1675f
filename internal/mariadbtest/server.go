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

	_ "github.com/go-sql-driver/mysql" // the driver

	"github.com/sluicehq/sluice/internal/proc"
	"github.com/sluicehq/sluice/internal/servertest"
)

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
func start(args ...string) (_ *servertest.Server, err error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "sluice-mariadb-") // a short path: sockets have a limit
	if err != nil {
		return nil, err
	}
	s := &servertest.Server{Dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
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
	host, port, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return nil, err
	}
	s.Child = proc.Child{
		Program: program, Dir: dir, Log: filepath.Join(dir, "log"),
		Args: append(args, "--socket="+filepath.Join(dir, "s"), "--bind-address="+host, "--port="+port),
	}
	s.Ping = func(ctx context.Context) error {
		return with(addresses[0], func(db *sql.DB) error { return db.PingContext(ctx) })
	}
	s.Create = func(ctx context.Context, name string) (string, error) {
		err := with(addresses[0], func(db *sql.DB) error {
			_, err := db.ExecContext(ctx, "CREATE DATABASE "+name)
			return err
		})
		return "mysql://root@" + addresses[0] + "/" + name, err
	}
	return s, s.Launch()
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

// with runs what is to be done over a connection of its own.
func with(address string, do func(*sql.DB) error) error {
	db, err := sql.Open("mysql", "root@tcp("+address+")/")
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}
