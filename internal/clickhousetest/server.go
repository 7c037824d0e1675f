package clickhousetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/sluicehq/sluice/internal/proc"
	"github.com/sluicehq/sluice/internal/servertest"
)

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
func start() (_ *servertest.Server, err error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-clickhouse-")
	if err != nil {
		return nil, err
	}
	s := &servertest.Server{Dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	addresses, err := proc.FreePorts(2)
	if err != nil {
		return nil, err
	}
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
	s.Child = proc.Child{Program: program, Dir: dir, Log: filepath.Join(dir, "log"), Args: []string{"--config-file=" + file}}
	s.Ping = func(ctx context.Context) error {
		return with(addresses[0], func(c clickhouse.Conn) error { return c.Ping(ctx) })
	}
	s.Create = func(ctx context.Context, name string) (string, error) {
		err := with(addresses[0], func(c clickhouse.Conn) error { return c.Exec(ctx, "CREATE DATABASE "+name) })
		return "clickhouse://default@" + addresses[0] + "/" + name, err
	}
	return s, s.Launch()
}

// with runs what is to be done over a connection of its own.
func with(address string, do func(clickhouse.Conn) error) error {
	c, err := clickhouse.Open(&clickhouse.Options{Addr: []string{address}})
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Close())
}
