// Package app builds every part of a running Sluice, starts them in the
// direction of the data's way and stops them in reverse. It is the only place
// that knows all types. Start returns when webhooks are accepted; Temporal may
// come up later, events wait in the ledger.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.temporal.io/sdk/client"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/dispatch"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/payloads"
	"github.com/sluicehq/sluice/internal/worker"
	"github.com/sluicehq/sluice/plugins/host"
)

// Options are what [New] needs.
type Options struct {
	File    *config.File
	Source  Source // without it there is no reload
	Watch   bool   // as the setting watch
	Logger  *slog.Logger
	Version string
	// Part is what this instance does; see [Part.Check].
	Part Part
}

// App is one running Sluice.
type App struct {
	conf    *config.Config // at the start; for what only a restart changes
	active  atomic.Pointer[active]
	source  Source
	watch   bool
	log     *slog.Logger
	version string
	part    Part

	metrics    *prometheus.Registry
	ledger     ledger.Ledger
	shared     ledger.Shared // the same, nil unless several instances may use it
	host       *host.Host
	settings   atomic.Pointer[activities.Settings]
	passes     *dispatch.Passes
	pauses     *worker.Pauses
	activities *activities.Activities
	dispatcher *dispatch.Dispatcher
	webhooks   *server
	admin      *server
	workers    atomic.Pointer[worker.Workers] // nil while there is no Temporal

	reloading      sync.Mutex    // held while a configuration is taken over
	up             atomic.Bool   // between a start that succeeded and the stop
	started        chan struct{} // closed when the start is over
	refused        atomic.Pointer[admin.Refused]
	reloads        reloadMetrics
	gates          *activities.Gates
	webhookHandler swapped
	adminHandler   swapped

	temporal temporalState
	fatal    chan error // capacity 1: something cannot go on

	stopOnce sync.Once
	stopErr  error
	teardown []step // run last in, first out
}

// step is one named part of the teardown.
type step struct {
	name string
	stop func(ctx context.Context) error
}

// New returns an App that has opened nothing yet.
func New(o Options) *App {
	a := &App{
		conf: o.File.Config, source: o.Source, watch: o.Watch, log: o.Logger, version: o.Version, part: o.Part,
		metrics: prometheus.NewRegistry(),
		gates:   new(activities.Gates),
		fatal:   make(chan error, 1),
		started: make(chan struct{}),
	}
	a.active.Store(&active{file: o.File, loaded: time.Now()})
	a.reloads = newReloadMetrics(a.metrics, a.active.Load)
	return a
}

func (a *App) onStop(name string, stop func(ctx context.Context) error) {
	a.teardown = append(a.teardown, step{name, stop})
}

// Start, once, opens the ledger, starts the plugins and accepts webhooks, as far as they
// are this instance's part. What it started is stopped again if it fails.
func (a *App) Start(ctx context.Context) error {
	a.reloading.Lock() // what is to be reloaded meanwhile waits until all of it is there
	err := a.start(ctx)
	a.up.Store(err == nil)
	close(a.started)
	a.reloading.Unlock()
	if err != nil {
		err = errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
	}
	return err
}

func (a *App) start(ctx context.Context) (err error) {
	if err := a.part.Check(a.conf); err != nil {
		return err
	}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	if a.ledger, err = openLedger(ctx, a.conf, a.log); err != nil {
		return err
	}
	a.shared, _ = a.ledger.(ledger.Shared)
	a.onStop("ledger", func(context.Context) error { return a.ledger.Close() })

	if err := a.startPlugins(ctx); err != nil {
		return err
	}
	if err := a.buildDelivery(ctx); err != nil {
		return err
	}
	if err := a.listen(); err != nil {
		return err
	}
	if a.part.has(RoleDispatcher) || a.part.has(RoleWorker) {
		a.background(ctx, "temporal", a.runTemporal)
	} else {
		a.background(ctx, "pauses", a.followPauses)
	}
	a.background(ctx, "retention", a.runRetention)
	a.background(ctx, "watch", a.runWatch)
	return nil
}

// background runs a part until the teardown reaches it.
func (a *App) background(ctx context.Context, name string, run func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	a.onStop(name, func(ctx context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("did not end in time: %w", context.Cause(ctx))
		}
	})
}

// buildDelivery makes everything between ledger and plugins; nothing runs yet.
func (a *App) buildDelivery(ctx context.Context) error {
	now := a.active.Load().file
	compiled, err := compileRules(now.Config)
	if err != nil {
		return err
	}
	a.settings.Store(a.settingsOf(ctx, now, compiled))
	a.pauses, err = worker.NewPauses(ctx, a.ledger, a.log)
	if err != nil {
		return fmt.Errorf("read pauses: %w", err)
	}
	a.passes = dispatch.NewPasses(a.pauses.Paused)
	var pace activities.Pace
	var shared dispatch.Shared
	if a.shared != nil {
		pace, shared = a.shared.Pace, a.shared
	}
	a.activities = activities.New(activities.Options{
		Store: pausing{a.ledger, a.pauses}, Writer: a.host, Payloads: payloads.ByFormat(), Passes: a.passes,
		Settings: a.settings.Load, Pauses: a.pauses.Of, Check: prober{a.host}.Check, Pace: pace, Metrics: activities.NewMetrics(a.metrics), Logger: a.log,
		Gates: a.gates,
	})
	a.dispatcher = dispatch.New(dispatch.Options{
		Store:  a.ledger,
		Shared: shared,
		Starter: &dispatch.TemporalStarter{
			Client: a.temporal.client, TaskQueue: a.conf.Temporal.TaskQueue,
			IDPrefix: a.workflowPrefix(), Eager: !a.conf.Temporal.Versioning, Logger: a.log,
		},
		Passes: a.passes,
		Configured: func(destination string) bool {
			_, ok := a.settings.Load().Destinations[destination]
			return ok
		},
		Logger:      a.log,
		MaxEvents:   a.conf.Dispatch.MaxEventsPerWorkflow,
		MaxInFlight: a.conf.Dispatch.MaxInFlight,
	})
	a.metrics.MustRegister(&ledgerCollector{ledger: a.ledger, log: a.log})
	return nil
}

// Run starts, waits until the context ends or something cannot go on, and stops.
func (a *App) Run(ctx context.Context) error {
	if err := a.Start(ctx); err != nil {
		return err
	}
	var err error
	select {
	case <-ctx.Done():
		a.log.Info("stopping")
	case err = <-a.fatal:
		a.log.Error("cannot go on", "err", err)
	}
	return errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
}

// Stop stops everything, in reverse, within the configured time. It may be
// called more than once.
func (a *App) Stop(ctx context.Context) error {
	a.stopOnce.Do(func() {
		a.up.Store(false)
		// Twice: once for requests and deliveries under way, once for the parts.
		ctx, cancel := context.WithTimeoutCause(ctx, 2*a.conf.Server.ShutdownTimeout, errors.New("server.shutdown_timeout is over"))
		defer cancel()
		var problems []error
		for i := len(a.teardown) - 1; i >= 0; i-- {
			if err := a.teardown[i].stop(ctx); err != nil {
				problems = append(problems, fmt.Errorf("stop %s: %w", a.teardown[i].name, err))
			}
		}
		a.stopErr = errors.Join(problems...)
	})
	return a.stopErr
}

func (a *App) fail(err error) {
	select {
	case a.fatal <- err:
	default:
	}
}

// Endpoint is the address that takes webhooks, once started. Nil without the role.
func (a *App) Endpoint() net.Addr {
	if a.webhooks == nil {
		return nil
	}
	return a.webhooks.addr
}

// Admin is the address of the admin listener, once started.
func (a *App) Admin() net.Addr { return a.admin.addr }

// temporalState is the connection to Temporal, which comes and goes.
type temporalState struct {
	current atomic.Pointer[link]
	problem atomic.Pointer[string]
}

// link is a connection to a Temporal server.
type link struct {
	client  client.Client
	address string
	ui      string
}

func (t *temporalState) client() client.Client {
	if c := t.current.Load(); c != nil {
		return c.client
	}
	return nil
}

const retryTemporal = 2 * time.Second
