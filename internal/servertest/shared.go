package servertest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is the server of a test binary: the first test that asks starts it.
type Shared struct {
	// New starts it.
	New func() (*Server, error)

	mu        sync.Mutex
	allowed   bool // Main was called, so that somebody stops the server
	server    *Server
	err       error
	databases int
}

// Main runs the tests of a package, stops the server if one was started, and
// exits.
func (s *Shared) Main(m *testing.M) {
	s.mu.Lock()
	s.allowed = true
	s.mu.Unlock()
	code := m.Run()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		if err := s.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// URL makes an empty database and returns its address.
func (s *Shared) URL(t testing.TB) string {
	t.Helper()
	server, name, err := s.next()
	if err != nil {
		t.Fatal(err)
	}
	return server.database(t, name)
}

// next returns the server, and a name for a database that no other has.
func (s *Shared) next() (*Server, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.allowed {
		return nil, "", errors.New("call Main from TestMain, so that the server stops")
	}
	if s.server == nil && s.err == nil {
		s.server, s.err = s.New()
	}
	s.databases++
	return s.server, fmt.Sprintf("test_%d", s.databases), s.err
}
