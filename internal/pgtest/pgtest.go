// Package pgtest gives tests a real PostgreSQL: one throw-away server per test
// binary, started by the first test that asks, and a fresh database per call of
// [URL]. The server keeps nothing safe and ends with the test process, however
// that ends. Call [Main] or [Run] from TestMain.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/internal/pgserver"
)

// shared is the server of this test binary.
var shared struct {
	sync.Mutex
	allowed   bool // Main was called, so that somebody stops the server
	server    *pgserver.Server
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
	err := shared.server.Stop()
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
	url, err := s.CreateDatabase(t.Context(), name)
	if err != nil {
		t.Fatalf("pgtest: %v\n%s", err, s.LogTail())
	}
	return url
}

func running() (*pgserver.Server, error) {
	shared.Lock()
	defer shared.Unlock()
	if !shared.allowed {
		return nil, errors.New("call pgtest.Main from TestMain, so that the server stops")
	}
	if shared.server == nil && shared.err == nil {
		// Its life is that of the test binary, not of the test that came first.
		shared.server, shared.err = pgserver.Start(context.Background(), pgserver.Options{
			Settings: []string{"max_connections=300", "max_wal_size=1GB"},
		})
	}
	return shared.server, shared.err
}
