// Package servertest is what packages share that give tests a real database
// server: a throw-away process with a folder of its own, for a whole test binary
// ([Shared]) or for one test ([Own]). It ends with the test process, however that
// ends.
package servertest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/proc"
)

// startTime is how long a server may take until it answers.
const startTime = time.Minute

// Server is a server with a folder and ports of its own. Whoever makes one fills
// in the fields and calls Launch.
type Server struct {
	Child proc.Child
	Dir   string // of all that it has
	// Ping reports whether it answers.
	Ping func(context.Context) error
	// Create makes an empty database and returns its address.
	Create func(ctx context.Context, name string) (url string, err error)
}

// Launch starts the process and waits until it answers.
func (s *Server) Launch() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	return s.Child.Launch(ctx, s.Ping)
}

func (s *Server) database(t testing.TB, name string) string {
	t.Helper()
	url, err := s.Create(t.Context(), name)
	if err != nil {
		t.Fatalf("create database %s: %v\n%s", name, err, s.Child.LogTail(20))
	}
	return url
}

// Crash ends the server at once, with all its connections.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	if err := s.Child.Kill(); err != nil {
		t.Fatal(err)
	}
}

// Start starts it again, at the same address.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.Launch(); err != nil {
		t.Fatalf("start again: %v", err)
	}
}

// Stop ends the server and removes all it had.
func (s *Server) Stop() error { return errors.Join(s.Child.Kill(), os.RemoveAll(s.Dir)) }

// Own starts a server of one test, which may end it and start it again. It has one
// database, which is empty.
func Own(t testing.TB, start func() (*Server, error)) (s *Server, url string) {
	t.Helper()
	s, err := start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s, s.database(t, "test")
}
