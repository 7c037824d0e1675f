//go:build !slim

package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/temporal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

const (
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
	// The name under which Temporal's frontend reports its health.
	frontendHealth = "temporal.api.workflowservice.v1.WorkflowService"
)

// Server is a running Temporal with its UI.
type Server struct {
	options  Options
	log      *bridge
	lock     *os.File
	temporal temporal.Server
	conn     *grpc.ClientConn
	ui       *webUI // nil: none
	address  string

	stopOnce sync.Once
	stopped  chan struct{} // closed when Stop has begun
	stopErr  error
}

// Start runs Temporal and returns when it takes work: namespace and search
// attributes are there and the UI answers. It gives up after a minute, or when
// ctx ends.
func Start(ctx context.Context, o Options) (_ *Server, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("temporal: not ready after %s", startTimeout))
	defer cancel()

	s := &Server{options: o, log: newBridge(o.Logger), stopped: make(chan struct{})}
	defer func() {
		if err != nil {
			_ = s.Stop(context.WithoutCancel(ctx))
		}
	}()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("temporal: data directory: %w", err)
	}
	if s.lock, err = lockDir(o.Dir); err != nil {
		return nil, err
	}
	var uiListener net.Listener
	if o.UI != "" {
		if uiListener, err = listen(ctx, settingUI, o.UI); err != nil {
			return nil, err
		}
		defer func() {
			if s.ui == nil {
				_ = uiListener.Close()
			}
		}()
	}
	for _, d := range []database{mainDatabase, visibilityDatabase} {
		if err := d.migrate(ctx, filepath.Join(o.Dir, d.file)); err != nil {
			return nil, err
		}
	}
	store := persistenceConfig(o.Dir, time.Now().UnixNano())
	if err := prepareNamespace(ctx, &store, s.log, o); err != nil {
		return nil, err
	}
	if err := s.startTemporal(ctx, store); err != nil {
		return nil, err
	}
	if s.conn, err = grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return nil, fmt.Errorf("temporal: connect to %s: %w", s.address, err)
	}
	if err := s.await(ctx); err != nil {
		return nil, err
	}
	if o.UI != "" {
		u, err := newUI(s.address, o.Namespace, o.Logger)
		if err != nil {
			return nil, err
		}
		s.ui = u
		u.start(uiListener)
	}
	return s, nil
}

func (s *Server) startTemporal(ctx context.Context, store config.Persistence) error {
	front, err := reserve(ctx, settingListen, s.options.Listen)
	if err != nil {
		return err
	}
	rest, err := reserve(ctx, "temporal: internal listener", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p := places{frontend: front[0], history: rest[0], matching: rest[1], worker: rest[2]}
	s.address = p.frontend.dialable()

	started := make(chan error, 1)
	go func() {
		// Temporal ends its goroutine where it cannot go on; see bridge.Fatal.
		err := errors.New("temporal: start ended early")
		defer func() { started <- err }()
		var server temporal.Server
		server, err = temporal.NewServer(
			temporal.WithConfig(serverConfig(p, store)),
			temporal.ForServices(temporal.DefaultServices),
			temporal.WithStaticHosts(p.hosts()),
			temporal.WithLogger(s.log),
			temporal.WithNamespaceLogger(s.log),
			temporal.WithDynamicConfigClient(dynamicConfig(s.options.DynamicConfig)),
			temporal.WithCustomMetricsHandler(metrics.NoopMetricsHandler),
			temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
			temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		)
		if err != nil {
			return
		}
		if err = server.Start(); err == nil {
			s.temporal = server
		}
	}()
	select {
	case err = <-started:
	case <-ctx.Done():
		err = context.Cause(ctx)
		// It cannot be interrupted; Stop must find it when it has come up.
		<-started
	}
	if text := s.log.fatal.Load(); text != nil {
		return fmt.Errorf("temporal: start: %s", *text)
	}
	if err != nil {
		return fmt.Errorf("temporal: start: %w", err)
	}
	return nil
}

// await returns when the frontend serves the namespace, and a query over every
// search attribute passes its caches and reaches the visibility store.
func (s *Server) await(ctx context.Context) error {
	api := workflowservice.NewWorkflowServiceClient(s.conn)
	var terms []string
	for _, name := range slices.Sorted(maps.Keys(s.options.SearchAttributes)) {
		terms = append(terms, "`"+name+"` IS NULL")
	}
	for {
		err := s.Ready(ctx)
		if err == nil {
			_, err = api.CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{
				Namespace: s.options.Namespace,
				Query:     strings.Join(terms, " AND "),
			})
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("temporal: start: %w: last: %w", context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Address is where clients in this process reach the frontend.
func (s *Server) Address() string { return s.address }

// UIURL is the address of the web UI, without a slash at the end. Empty: none.
func (s *Server) UIURL() string {
	if s.ui == nil {
		return ""
	}
	return s.ui.url
}

// Namespace is the namespace for the workflows.
func (s *Server) Namespace() string { return s.options.Namespace }

// Ready asks whether the server takes work. It is meant for health checks.
func (s *Server) Ready(ctx context.Context) error {
	select {
	case <-s.stopped:
		return errors.New("temporal: stopped")
	default:
	}
	got, err := grpc_health_v1.NewHealthClient(s.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: frontendHealth})
	if err != nil {
		return fmt.Errorf("temporal: health of %s: %w", s.address, err)
	}
	if got.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("temporal: health of %s: %s", s.address, got.GetStatus())
	}
	if s.ui != nil {
		return s.ui.ready()
	}
	return nil
}

// Stop ends the UI and then Temporal, within ctx and twenty seconds. Calls
// after the first wait for it and return what it returned. Stop workers first:
// their polls hold the frontend up.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		close(s.stopped)
		s.log.stopping.Store(true)
		ctx, cancel := context.WithTimeoutCause(ctx, stopTimeout, fmt.Errorf("not stopped after %s", stopTimeout))
		defer cancel()
		s.stopErr = s.stop(ctx)
	})
	return s.stopErr
}

func (s *Server) stop(ctx context.Context) error {
	var errs []error
	if s.ui != nil {
		if err := s.ui.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("temporal ui: stop: %w", err))
		}
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.temporal != nil {
		done := make(chan error, 1)
		go func() { done <- s.temporal.Stop() }()
		select {
		case err := <-done:
			if err != nil {
				errs = append(errs, fmt.Errorf("temporal: stop: %w", err))
			}
		case <-ctx.Done():
			// It may still write: the files stay locked until the process ends.
			return errors.Join(append(errs, fmt.Errorf("temporal: stop: %w", context.Cause(ctx)))...)
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
