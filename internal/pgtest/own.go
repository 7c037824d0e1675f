package pgtest

import (
	"context"
	"testing"

	"github.com/sluicehq/sluice/internal/pgserver"
)

// Server is a server of one test, which may end it and start it again. It keeps
// what is committed, as a real one does.
type Server struct {
	server *pgserver.Server
	url    string
}

// Own starts a server that ends with the test.
func Own(t testing.TB) *Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), pgserver.Options{Durable: true})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	url, err := s.CreateDatabase(t.Context(), "test")
	if err != nil {
		t.Fatalf("pgtest: %v\n%s", err, s.LogTail())
	}
	return &Server{server: s, url: url}
}

// URL is the connection string of its one database.
func (s *Server) URL() string { return s.url }

// Crash ends the server without a checkpoint and with all its connections.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	if err := s.server.Crash(); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}

// Start starts it again, at the same address.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.server.Launch(context.Background()); err != nil {
		t.Fatalf("pgtest: start again: %v\n%s", err, s.server.LogTail())
	}
}
