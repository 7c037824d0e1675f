package redshift

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Fault is what goes wrong with a statement.
type Fault struct {
	Contains string // of the SQL; "": any
	Times    int    // how often
	// Code and Message are the error; without a code the connection is lost.
	Code, Message string
	// AfterAnswer lets the server do the statement and then loses its answer.
	AfterAnswer bool
}

// Server is the proxy.
type Server struct {
	upstream *url.URL
	listener net.Listener
	done     sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	faults []Fault
	closed bool
}

// New starts a proxy before the database of a postgres:// URL.
func New(ctx context.Context, upstream string) (*Server, error) {
	u, err := url.Parse(upstream)
	if err != nil || u.Host == "" {
		return nil, errors.New("fake redshift: the database must be a postgres:// URL with a host")
	}
	c, err := pgx.Connect(ctx, upstream)
	if err != nil {
		return nil, fmt.Errorf("fake redshift: %w", err)
	}
	_, err = c.Exec(ctx, "CREATE OR REPLACE FUNCTION getdate() RETURNS timestamp LANGUAGE sql AS 'SELECT clock_timestamp()::timestamp'")
	if err := errors.Join(err, c.Close(ctx)); err != nil {
		return nil, fmt.Errorf("fake redshift: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fake redshift: %w", err)
	}
	s := &Server{upstream: u, listener: listener, open: map[net.Conn]struct{}{}}
	s.done.Go(s.accept)
	return s, nil
}

// URL is the connection string for clients.
func (s *Server) URL() string {
	u := *s.upstream
	u.Host = s.listener.Addr().String()
	q := u.Query()
	q.Del("host")
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return u.String()
}

// Play adds a fault.
func (s *Server) Play(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// Close ends all connections.
func (s *Server) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
	return err
}

// fault takes the next fault for a statement.
func (s *Server) fault(sql string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		if f := &s.faults[i]; f.Times > 0 && strings.Contains(sql, f.Contains) {
			f.Times--
			return *f, true
		}
	}
	return Fault{}, false
}

func (s *Server) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return false
	}
	s.open[c] = struct{}{}
	return true
}

func (s *Server) drop(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	_ = c.Close()
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		if s.keep(c) {
			s.done.Go(func() {
				defer s.drop(c)
				s.serve(c)
			})
		}
	}
}

func (s *Server) dial() (net.Conn, error) {
	network, address := "tcp", s.upstream.Host
	if dir := s.upstream.Query().Get("host"); strings.HasPrefix(dir, "/") {
		network, address = "unix", dir+"/.s.PGSQL."+s.upstream.Port()
	}
	return net.DialTimeout(network, address, 10*time.Second)
}

// Requests that come instead of a startup message.
const (
	sslRequest    = 80877103
	gssRequest    = 80877104
	cancelRequest = 80877102
)

func (s *Server) serve(client net.Conn) {
	var startup []byte
	for {
		var err error
		if startup, err = readBody(client); err != nil || len(startup) < 4 {
			return
		}
		code := binary.BigEndian.Uint32(startup)
		if code != sslRequest && code != gssRequest {
			break
		}
		if _, err := client.Write([]byte{'N'}); err != nil {
			return
		}
	}
	server, err := s.dial()
	if err != nil || !s.keep(server) {
		return
	}
	defer s.drop(server)
	if writeBody(server, startup) != nil || binary.BigEndian.Uint32(startup) == cancelRequest {
		return
	}
	link := &link{server: s, client: client, upstream: server}
	var answers sync.WaitGroup
	answers.Go(func() {
		defer client.Close()
		link.answers()
	})
	link.requests()
	_ = server.Close()
	answers.Wait()
}

// readBody reads a length and what it counts.
func readBody(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 4 || n > 64<<20 {
		return nil, errors.New("not a message")
	}
	body := make([]byte, n-4)
	_, err := io.ReadFull(r, body)
	return body, err
}

func writeBody(w io.Writer, body []byte, kind ...byte) error {
	message := binary.BigEndian.AppendUint32(kind, uint32(len(body)+4))
	_, err := w.Write(append(message, body...))
	return err
}
