// Package mariadbtest gives tests a real MariaDB: one throw-away server per test
// binary, started by the first test that asks, and a fresh database per call of
// [URL]. The server keeps nothing safe and ends with the test process, however
// that ends. Call [Main] from TestMain.
package mariadbtest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// shared is the server of this test binary.
var shared struct {
	sync.Mutex
	allowed   bool // Main was called, so that somebody stops the server
	server    *Server
	err       error
	databases atomic.Int64
}

// Main runs the tests of a package, stops the server if one was started, and
// exits.
func Main(m *testing.M) {
	shared.Lock()
	shared.allowed = true
	shared.Unlock()
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server != nil {
		if err := shared.server.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// URL makes an empty database and returns its address, mysql://user@host:port/name.
// The user may do everything and has no password.
func URL(t testing.TB) string {
	t.Helper()
	s, err := running()
	if err != nil {
		t.Fatalf("mariadbtest: %v", err)
	}
	return s.database(t, fmt.Sprintf("test_%d", shared.databases.Add(1)))
}

func running() (*Server, error) {
	shared.Lock()
	defer shared.Unlock()
	if !shared.allowed {
		return nil, errors.New("call mariadbtest.Main from TestMain, so that the server stops")
	}
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = start("--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite")
	}
	return shared.server, shared.err
}

// Own starts a server of one test, which may end it and start it again. It keeps
// what is committed, as a real one does.
func Own(t testing.TB) (s *Server, url string) {
	t.Helper()
	s, err := start()
	if err != nil {
		t.Fatalf("mariadbtest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s, s.database(t, "test")
}
