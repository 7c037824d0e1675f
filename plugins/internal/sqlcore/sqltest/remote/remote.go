// Package remote puts the database server of a test behind a wire that can fail,
// so that the conformance suite of a SQL destination can cut it off or let it
// hang. It starts no servers, and has no faults of the database itself.
package remote

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/sluicehq/sluice/internal/netfault"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
)

// Server is a database server behind a wire that can fail. A harness of the
// conformance suite that embeds it can show outages and hangs.
type Server struct {
	URL  string // of the database, through the wire
	wire *netfault.Wire
}

// Behind puts a wire before the server of a database until the end of t.
func Behind(t *testing.T, database string) *Server {
	t.Helper()
	u := parse(t, database)
	wire, err := netfault.NewWire(t.Name(), u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wire.Close)
	u.Host = wire.Address()
	return &Server{URL: u.String(), wire: wire}
}

// Fault implements [destinationtest.Faults].
func (s *Server) Fault(t *testing.T, _ json.RawMessage, f conformance.Fault) bool {
	t.Helper()
	var err error
	switch f.Kind {
	case conformance.FaultNone:
		err = s.wire.Heal()
	case conformance.FaultOutage:
		err = s.wire.Suffer("down", 0)
	case conformance.FaultHang:
		err = s.wire.Suffer("timeout", 0)
	default:
		return false
	}
	if err != nil {
		t.Error(err)
	}
	return true
}

// Stranger is the URL of a database with a user that it does not know.
func Stranger(t *testing.T, database string) string {
	t.Helper()
	u := parse(t, database)
	u.User = url.UserPassword("nobody_of_that_name", "wrong-password")
	return u.String()
}

func parse(t *testing.T, database string) *url.URL {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
