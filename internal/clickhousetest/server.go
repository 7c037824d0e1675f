package clickhousetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/sluicehq/sluice/internal/proc"
)

// Server is a ClickHouse with a folder and ports of its own.
type Server struct {
	child   proc.Child
	dir     string
	address string // of the native protocol
}

// Passwords of the users of a server besides "default", who has none.
const (
	Reader         = "reader" // may read and change nothing
	ReaderPassword = "pass"
)

const config = `<yandex>
<logger><level>error</level><console>1</console></logger>
<listen_host>%[1]s</listen_host><tcp_port>%[2]s</tcp_port><http_port>%[3]s</http_port>
<path>%[4]s/data/</path><tmp_path>%[4]s/tmp/</tmp_path><user_files_path>%[4]s/files/</user_files_path><format_schema_path>%[4]s/formats/</format_schema_path>
<users_config>%[4]s/users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
<mark_cache_size>67108864</mark_cache_size><timezone>Asia/Kolkata</timezone>
</yandex>
`

const users = `<yandex>
<profiles><default/><reads><readonly>1</readonly></reads></profiles><quotas><default/></quotas>
<users>
<default><password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
<` + Reader + `><password>` + ReaderPassword + `</password><networks><ip>127.0.0.1</ip></networks><profile>reads</profile><quota>default</quota></` + Reader + `>
</users>
</yandex>
`

var errMissing = errors.New("ClickHouse is missing: run make test-deps, which installs it (Debian: apt-get install clickhouse-server)")

// find returns the path of the server's program, which is often not in PATH.
func find() (string, error) {
	for _, name := range []string{"clickhouse-server", "/usr/sbin/clickhouse-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errMissing
}

// start makes a new, empty server and waits until it answers.
func start() (_ *Server, err error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-clickhouse-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	addresses, err := proc.FreePorts(2)
	if err != nil {
		return nil, err
	}
	s.address = addresses[0]
	host, port, err := net.SplitHostPort(addresses[0])
	if err != nil {
		return nil, err
	}
	_, httpPort, err := net.SplitHostPort(addresses[1])
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "config.xml")
	if err := errors.Join(
		os.WriteFile(file, fmt.Appendf(nil, config, host, port, httpPort, dir), 0o600),
		os.WriteFile(filepath.Join(dir, "users.xml"), []byte(users), 0o600),
		os.Mkdir(filepath.Join(dir, "data"), 0o700),
		os.Mkdir(filepath.Join(dir, "tmp"), 0o700),
	); err != nil {
		return nil, err
	}
	s.child = proc.Child{Program: program, Dir: dir, Log: filepath.Join(dir, "log"), Args: []string{"--config-file=" + file}}
	return s, s.launch()
}

func (s *Server) open() (clickhouse.Conn, error) {
	return clickhouse.Open(&clickhouse.Options{Addr: []string{s.address}})
}

func (s *Server) database(t testing.TB, name string) string {
	t.Helper()
	c, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("clickhousetest: %v\n%s", err, s.child.LogTail(20))
	}
	return "clickhouse://default@" + s.address + "/" + name
}

// launch starts the process and waits until it answers.
func (s *Server) launch() error {
	if err := s.child.Start(); err != nil {
		return err
	}
	c, err := s.open()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if err = c.Ping(ctx); err == nil {
			return nil
		}
		select {
		case <-s.child.Exited():
			return fmt.Errorf("ClickHouse ended at once\n%s", s.child.LogTail(20))
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("ClickHouse does not answer: %w", err), s.child.Kill())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Crash ends the server at once, with all its connections.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	if err := s.child.Kill(); err != nil {
		t.Fatalf("clickhousetest: %v", err)
	}
}

// Start starts it again, at the same address.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.launch(); err != nil {
		t.Fatalf("clickhousetest: start again: %v", err)
	}
}

func (s *Server) stop() error {
	var err error
	if s.child.Running() {
		err = s.child.Kill()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
