// Package mariadbtest gives tests a real MariaDB: one throw-away server per test
// binary, started by the first test that asks, and a fresh database per call of
// [URL]. The server keeps nothing safe and ends with the test process, however
// that ends. Call [Main] from TestMain.
package mariadbtest

import (
	"testing"

	"github.com/sluicehq/sluice/internal/servertest"
)

var shared = servertest.Shared{New: func() (*servertest.Server, error) {
	return start("--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite")
}}

// Main runs the tests of a package, stops the server if one was started, and
// exits.
func Main(m *testing.M) { shared.Main(m) }

// URL makes an empty database and returns its address, mysql://user@host:port/name.
// The user may do everything and has no password.
func URL(t testing.TB) string {
	t.Helper()
	return shared.URL(t)
}

// Own starts a server of one test, which may end it and start it again. It keeps
// what is committed, as a real one does.
func Own(t testing.TB) (s *servertest.Server, url string) {
	t.Helper()
	return servertest.Own(t, func() (*servertest.Server, error) { return start() })
}
