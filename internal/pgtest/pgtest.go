// Package pgtest gives tests a real PostgreSQL: one throw-away server per test
// binary, started by the first test that asks, and a fresh database per call of
// [URL]. The server keeps nothing safe and ends with the test process, however
// that ends. Call [Main] or [Run] from TestMain.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shared is the server of this test binary.
var shared struct {
	sync.Mutex
	allowed   bool // Main was called, so that somebody stops the server
	server    *server
	err       error
	databases atomic.Int64
}

// Main runs the tests of a package, stops the server if one was started, and
// exits.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has more to do: it returns the status with
// which to exit.
func Run(m *testing.M) int {
	shared.Lock()
	shared.allowed = true
	shared.Unlock()
	code := m.Run()
	if err := Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// Stop stops the server.
func Stop() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	err := shared.server.stop()
	shared.server = nil
	return err
}

// URL makes an empty database and returns its connection string. The user is a
// superuser without a password.
func URL(t testing.TB) string {
	t.Helper()
	s, err := running()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	name := fmt.Sprintf("test_%d", shared.databases.Add(1))
	if err := createDatabase(t.Context(), s.url("postgres"), name); err != nil {
		t.Fatalf("pgtest: create database: %v\n%s", err, s.logTail())
	}
	return s.url(name)
}

func running() (*server, error) {
	shared.Lock()
	defer shared.Unlock()
	if !shared.allowed {
		return nil, errors.New("call pgtest.Main from TestMain, so that the server stops")
	}
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = start(false)
	}
	return shared.server, shared.err
}

func createDatabase(ctx context.Context, admin, name string) error {
	c, err := pgx.Connect(ctx, admin)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0")
	return errors.Join(err, c.Close(ctx))
}

func (s *server) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(superuser), Host: fmt.Sprintf("127.0.0.1:%d", s.port),
		Path: database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// logTail returns the end of the server's log, for messages of failed tests.
func (s *server) logTail() string {
	b, err := os.ReadFile(s.logFile())
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
