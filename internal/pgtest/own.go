package pgtest

import (
	"context"
	"testing"
)

// Server is a server of one test, which may stop it and start it again. It keeps
// what is committed, as a real one does.
type Server struct {
	server *server
}

// Own starts a server that ends with the test.
func Own(t testing.TB) *Server {
	t.Helper()
	s, err := start(true)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	own := &Server{server: s}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := createDatabase(t.Context(), s.url("postgres"), "test"); err != nil {
		t.Fatalf("pgtest: create database: %v\n%s", err, s.logTail())
	}
	return own
}

// URL is the connection string of its one database.
func (s *Server) URL() string { return s.server.url("test") }

// Crash ends the server without a checkpoint and with all its connections.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	s.server.end()
}

// Start starts it again, on the same port.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	postgres, err := find("postgres")
	if err != nil {
		t.Fatal(err)
	}
	as, err := unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.server.launch(ctx, postgres, as); err != nil {
		t.Fatalf("pgtest: start again: %v\n%s", err, s.server.logTail())
	}
}
