// Package clickhousetest gives tests a real ClickHouse: one throw-away server per
// test binary, started by the first test that asks, and a fresh database per call
// of [URL]. The server ends with the test process, however that ends. Call [Main]
// from TestMain. Debian has ClickHouse 18.16; a newer clickhouse-server in PATH is
// taken as well.
package clickhousetest

import (
	"testing"

	"github.com/sluicehq/sluice/internal/servertest"
)

var shared = servertest.Shared{New: start}

// Main runs the tests of a package, stops the server if one was started, and
// exits.
func Main(m *testing.M) { shared.Main(m) }

// URL makes an empty database and returns its address,
// clickhouse://user@host:port/name. The user may do everything and has no password.
func URL(t testing.TB) string {
	t.Helper()
	return shared.URL(t)
}

// Own starts a server of one test, which may end it and start it again.
func Own(t testing.TB) (s *servertest.Server, url string) {
	t.Helper()
	return servertest.Own(t, start)
}
