// Package worker connects to Temporal and runs Sluice's workers there: one for
// workflows and the merge, and one for each destination, on a task queue of its
// own, so that destinations are isolated from one another and can be paused by
// not polling their queue. It knows nothing of webhooks and plugins.
package worker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"
)

// Connection says how to reach Temporal.
type Connection struct {
	Address   string // host:port
	Namespace string
	APIKey    string // implies TLS
	TLS       *TLS   // nil: none, unless there is an API key
	Logger    *slog.Logger
}

// TLS names the files for TLS towards a cluster. All are optional.
type TLS struct {
	CA, Cert, Key, ServerName string
}

// Dial connects to Temporal. It fails when nobody answers.
func Dial(ctx context.Context, c Connection) (client.Client, error) {
	o := client.Options{
		HostPort:  c.Address,
		Namespace: c.Namespace,
		Identity:  identity(),
		Logger:    tlog.NewStructuredLogger(quiet(c.Logger)),
		ConnectionOptions: client.ConnectionOptions{
			DialOptions: []grpc.DialOption{grpc.WithUserAgent("sluice")},
		},
	}
	if c.APIKey != "" {
		o.Credentials = client.NewAPIKeyStaticCredentials(c.APIKey)
	}
	if c.TLS != nil || c.APIKey != "" {
		conf, err := c.TLS.config()
		if err != nil {
			return nil, fmt.Errorf("temporal.tls: %w", err)
		}
		o.ConnectionOptions.TLS = conf
	}
	got, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("connect to temporal at %s: %w", c.Address, err)
	}
	return got, nil
}

func (t *TLS) config() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if t == nil {
		return conf, nil
	}
	conf.ServerName = t.ServerName
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no certificate in PEM form", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("cert and key: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("sluice@%s/%d", host, os.Getpid())
}

// quiet lowers the SDK's messages by one level: what it calls info is about
// every worker and task, which operators watch in Temporal, not in the log.
func quiet(l *slog.Logger) *slog.Logger { return slog.New(lowered{l.Handler()}) }

type lowered struct{ slog.Handler }

func lower(l slog.Level) slog.Level {
	if l >= slog.LevelError {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (h lowered) Enabled(ctx context.Context, l slog.Level) bool {
	return h.Handler.Enabled(ctx, lower(l))
}

func (h lowered) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lower(r.Level)
	return h.Handler.Handle(ctx, r)
}

func (h lowered) WithAttrs(a []slog.Attr) slog.Handler { return lowered{h.Handler.WithAttrs(a)} }

func (h lowered) WithGroup(name string) slog.Handler { return lowered{h.Handler.WithGroup(name)} }
