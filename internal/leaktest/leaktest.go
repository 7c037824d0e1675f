// Package leaktest finds goroutines that outlive what started them. It waits for
// those that are about to end, longer than goleak's 0.4 s, which is too short on a
// machine that does much else.
package leaktest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const patience = 30 * time.Second

// Main runs the tests of a package and exits, with an error if goroutines are left.
func Main(m *testing.M) { Exit(m.Run()) }

// Exit ends a test binary whose tests ended with code.
func Exit(code int) {
	if code == 0 {
		if err := find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// Before is what runs already, which [Verify] is to leave out.
func Before() goleak.Option { return goleak.IgnoreCurrent() }

// Verify fails t if there are goroutines but those of the options.
func Verify(t testing.TB, options ...goleak.Option) {
	t.Helper()
	if err := find(options...); err != nil {
		t.Error(err)
	}
}

func find(options ...goleak.Option) error {
	for end := time.Now().Add(patience); ; {
		if err := goleak.Find(options...); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// LeftByTemporal are the goroutines that an embedded Temporal leaves behind, with
// no way to end them: it does not close the gRPC connections between its services
// (nine of them), nor its two SQLite pools, which close their connections by
// themselves after some minutes.
var LeftByTemporal = []goleak.Option{
	goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/grpcsync.(*CallbackSerializer).run"),
	goleak.IgnoreAnyFunction("google.golang.org/grpc.(*addrConn).resetTransportAndUnlock"),
	goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"),
	goleak.IgnoreAnyFunction("database/sql.(*DB).connectionCleaner"),
}
