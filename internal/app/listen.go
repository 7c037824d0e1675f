package app

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/endpoint"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/fault"
	"github.com/sluicehq/sluice/plugins/host"
)

// server is an HTTP server and where it listens.
type server struct {
	*endpoint.Server
	addr net.Addr
}

// listen opens both listeners, the webhook endpoint last: what it accepts can be
// looked at from its first request on.
func (a *App) listen() error {
	s := a.conf.Server
	built, err := a.buildHandlers(a.conf)
	if err != nil {
		return err
	}
	a.adminHandler.set(built.admin)
	a.webhookHandler.set(built.webhooks)
	if a.admin, err = a.serve("admin", s.Admin, &a.adminHandler, nil); err != nil {
		return err
	}
	if !a.part.has(RoleEndpoint) {
		a.log.Info("started without the endpoint", "admin", a.admin.addr)
		return nil
	}
	var files *endpoint.CertificateFiles
	if s.TLS != nil {
		files = &endpoint.CertificateFiles{Cert: s.TLS.Cert, Key: s.TLS.Key}
	}
	if a.webhooks, err = a.serve("listen", s.Listen, &a.webhookHandler, files); err != nil {
		return err
	}
	a.log.Info("webhooks are accepted", "listen", a.webhooks.addr, "admin", a.admin.addr)
	return nil
}

// handlers answer requests under one configuration.
type handlers struct{ admin, webhooks http.Handler }

func (a *App) buildHandlers(c *config.Config) (*handlers, error) {
	from, err := sources(c)
	if err != nil {
		return nil, err
	}
	webhooks, err := endpoint.New(endpoint.Options{
		Sources: from, Append: a.ledger.Append, Logger: a.log, Metrics: a.metrics,
		MaxBody: c.Server.MaxBody, MaxInFlight: c.Server.MaxInFlight, Now: fault.Now,
	})
	if err != nil {
		return nil, err
	}
	return &handlers{
		admin: admin.New(admin.Options{
			Store: pausing{a.ledger, a.pauses}, Process: (*process)(a), Token: c.Server.AdminToken, Logger: a.log,
			Metrics: promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}),
		}),
		webhooks: webhooks.Handler(),
	}, nil
}

func (a *App) serve(setting, address string, h http.Handler, files *endpoint.CertificateFiles) (*server, error) {
	s, err := endpoint.NewServer(endpoint.ServerOptions{
		Name: setting, Handler: h, TLS: files, Logger: a.log, ReadTimeout: a.conf.Server.ReadTimeout,
		MaxConnections: a.conf.Server.MaxConnections,
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("server.%s: %w", setting, err)
	}
	s.Start(l)
	watched := make(chan struct{})
	go func() {
		select {
		case err := <-s.Failed():
			a.fail(err)
		case <-watched:
		}
	}()
	a.onStop("server."+setting, func(ctx context.Context) error {
		defer close(watched)
		return s.Shutdown(ctx)
	})
	return &server{Server: s, addr: l.Addr()}, nil
}

// process is what the admin API sees of an App.
type process App

// Ready reports each part's problem, or nothing.
func (p *process) Ready(ctx context.Context) map[string]string {
	parts := map[string]string{admin.PartLedger: "", "config": ""}
	if r := p.refused.Load(); r != nil {
		parts["config"] = "a changed configuration was refused: " + r.Problem
	}
	if _, err := p.ledger.Backlog(ctx); err != nil {
		parts[admin.PartLedger] = "does not answer: see the log"
		p.log.Error("ask the ledger for readiness", "err", err)
	}
	if p.part.has(RoleDispatcher) || p.part.has(RoleWorker) {
		parts["temporal"] = p.temporalProblem(ctx)
	}
	if p.part.has(RoleWorker) {
		parts["plugins"] = p.pluginProblem()
		parts["destinations"] = p.destinationProblem()
	}
	return parts
}

// destinationProblem names the destinations that refuse Sluice or are down. One
// that asks to wait is well, and who paused one knows it. What a destination said
// may quote a record: it is told to operators only.
func (p *process) destinationProblem() string {
	var problems []string
	for _, name := range p.part.destinations(p.active.Load().file.Config) {
		if whole, _ := p.pauses.Of(name); whole != nil && whole.Probed() {
			problems = append(problems, fmt.Sprintf("%s is paused (%s) since %s", name, whole.Reason, whole.Since.UTC().Format(time.RFC3339)))
		}
	}
	if len(problems) == 0 {
		return ""
	}
	return strings.Join(problems, ", ") + ": sluice destinations list says why"
}

func (p *process) temporalProblem(ctx context.Context) string {
	c := p.temporal.client()
	if c == nil {
		if problem := p.temporal.problem.Load(); problem != nil && *problem != "" {
			return *problem
		}
		return "not connected yet"
	}
	if _, err := c.CheckHealth(ctx, nil); err != nil {
		return "does not answer; events wait in the ledger"
	}
	return ""
}

func (p *process) pluginProblem() string {
	for _, s := range p.host.Status() {
		if s.State != host.StateRunning {
			return fmt.Sprintf("destination %s is %s", s.Destination, s.State)
		}
	}
	return ""
}

// Check tests a destination.
func (p *process) Check(ctx context.Context, destination string) error {
	if _, configured := p.conf.Destinations[destination]; configured && !p.part.serves(destination) {
		return fmt.Errorf("this instance does not deliver to %s: ask one that does", destination)
	}
	return checker{p.host}.Check(ctx, destination)
}

// Plugins lists the configured destinations.
func (p *process) Plugins() []admin.Plugin {
	var out []admin.Plugin
	for _, s := range p.host.Status() {
		out = append(out, admin.Plugin{
			Destination: s.Destination, Plugin: s.Plugin, Version: s.Version,
			State: string(s.State), PID: s.PID, Restarts: s.Restarts,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(p.conf.Destinations)) {
		if !p.part.serves(name) {
			out = append(out, admin.Plugin{Destination: name, Plugin: p.conf.Destinations[name].Plugin, State: admin.StateElsewhere})
		}
	}
	return out
}

// Links says where to look.
func (p *process) Links() admin.Links {
	scheme := "http"
	if p.conf.Server.TLS != nil {
		scheme = "https"
	}
	out := admin.Links{Version: p.version, Namespace: p.conf.Temporal.Namespace, DataDir: p.conf.DataDir}
	if p.webhooks != nil {
		out.Endpoint = fmt.Sprintf("%s://%s/webhooks/", scheme, p.webhooks.addr)
	}
	if l := p.temporal.current.Load(); l != nil {
		out.Temporal, out.TemporalUI = l.address, l.ui
	}
	return out
}

// Active says which configuration is in force.
func (p *process) Active() admin.ActiveConfiguration {
	now := p.active.Load()
	return admin.ActiveConfiguration{
		Path: now.file.Name, Revision: now.file.Revision, LoadedAt: now.loaded, Refused: p.refused.Load(),
	}
}

// Reload takes over the configuration as it is on disk. The caller may be gone
// before it is done.
func (p *process) Reload(ctx context.Context) admin.Reload {
	return (*App)(p).Reload(context.WithoutCancel(ctx))
}

// Wake has batches looked for that nobody drives.
func (p *process) Wake() { p.dispatcher.Wake() }
