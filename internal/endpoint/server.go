package endpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// ServerOptions configure a Server. Handler is required.
type ServerOptions struct {
	Name    string // for logs and errors: "webhooks", "admin"
	Handler http.Handler
	TLS     *CertificateFiles // nil: without TLS
	Logger  *slog.Logger      // default: none
	// ReadTimeout is how long a client may take to send a request. Default 30s.
	ReadTimeout time.Duration
	// WriteTimeout is how long a request may take from its header to the end of its
	// answer. Default: ReadTimeout and 45s on top.
	WriteTimeout time.Duration
	// MaxConnections bounds the open connections. Default 2048.
	MaxConnections int
}

// Server is an HTTP server with limits against slow and greedy clients. It is
// used once: Start, then Shutdown.
type Server struct {
	name   string
	http   *http.Server
	secure bool
	failed chan error
	wg     sync.WaitGroup
}

// maxHeader is far above what any sender of webhooks needs.
const maxHeader = 64 << 10

// DefaultMaxConnections is the default of ServerOptions.MaxConnections.
const DefaultMaxConnections = 2048

// NewServer loads the certificate, if there is one, and starts nothing.
func NewServer(o ServerOptions) (*Server, error) {
	if o.Name == "" {
		o.Name = "http"
	}
	if o.Handler == nil {
		return nil, fmt.Errorf("%s server: no handler", o.Name)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = 30 * time.Second
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = o.ReadTimeout + appendTimeout + 15*time.Second
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	s := &Server{
		name: o.Name,
		http: &http.Server{
			Handler:           o.Handler,
			ReadHeaderTimeout: min(10*time.Second, o.ReadTimeout),
			ReadTimeout:       o.ReadTimeout,
			WriteTimeout:      o.WriteTimeout,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    maxHeader,
			ConnState:         newConnections(o.MaxConnections, o.Name, o.Logger, time.Now).changed,
			// What it has to say (failed handshakes, mostly) is the clients' doing.
			ErrorLog: slog.NewLogLogger(o.Logger.With("server", o.Name).Handler(), slog.LevelDebug),
		},
		failed: make(chan error, 1),
	}
	if o.TLS != nil {
		c, err := loadCertificate(*o.TLS, o.Logger, time.Now)
		if err != nil {
			return nil, fmt.Errorf("%s server: %w", o.Name, err)
		}
		s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
		s.secure = true
	}
	return s, nil
}

// Start serves connections of the listener, which it closes in the end.
func (s *Server) Start(l net.Listener) {
	s.wg.Go(func() {
		var err error
		if s.secure {
			err = s.http.ServeTLS(l, "", "")
		} else {
			err = s.http.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("%s server: %w", s.name, err)
		}
	})
}

// Failed delivers the error if the server stops by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// Shutdown takes no more requests and waits for those under way. When ctx ends
// first it cuts them off and says so.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // the error that matters is the one above
		err = fmt.Errorf("%s server: requests were cut off: %w", s.name, err)
	}
	s.wg.Wait()
	return err
}
