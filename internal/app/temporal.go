package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/embedded"
	"github.com/sluicehq/sluice/internal/worker"
	"github.com/sluicehq/sluice/workflows"
)

// runTemporal starts the embedded server or connects to the cluster, then runs
// workers and dispatcher until the context ends. Whatever is not there yet is
// tried again: the endpoint accepts events meanwhile.
func (a *App) runTemporal(ctx context.Context) {
	var server *embedded.Server
	if a.conf.Temporal.Address == "" {
		var err error
		if server, err = a.startEmbedded(ctx); err != nil {
			if ctx.Err() == nil {
				a.fail(err)
			}
			return
		}
		defer a.stopEmbedded(server)
	}
	for logged := ""; ctx.Err() == nil; {
		err := a.work(ctx, server)
		if err == nil {
			return
		}
		problem := err.Error()
		a.temporal.problem.Store(&problem)
		if problem != logged { // every new problem once, not every attempt
			a.log.Warn("temporal cannot be used now, events wait in the ledger", "err", err)
			logged = problem
		}
		sleep(ctx, retryTemporal)
	}
}

func (a *App) startEmbedded(ctx context.Context) (*embedded.Server, error) {
	t := a.conf.Temporal
	return embedded.Start(ctx, embedded.Options{
		Dir: a.conf.DataDir, Listen: t.Embedded.Listen, UI: t.Embedded.UI, Namespace: t.Namespace,
		Retention: t.Embedded.Retention, Logger: a.log, SearchAttributes: workflows.SearchAttributes(),
	})
}

// workflowPrefix sets workflows apart by the task queue, which Sluices in one
// namespace must not share.
func (a *App) workflowPrefix() string {
	if q := a.conf.Temporal.TaskQueue; q != activities.DefaultTaskQueue {
		return q + ":"
	}
	return ""
}

func (a *App) stopEmbedded(server *embedded.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), a.conf.Server.ShutdownTimeout)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		a.log.Warn("stop the embedded temporal", "err", err)
	}
}

// work connects and works until the context ends, then it returns nil. It
// returns an error when it cannot go on; another call may.
func (a *App) work(ctx context.Context, server *embedded.Server) error {
	t := a.conf.Temporal
	conn := &link{address: t.Address, ui: t.UI}
	if server != nil {
		conn.address, conn.ui = server.Address(), server.UIURL()
	}
	dialCtx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	c, err := worker.Dial(dialCtx, connection(t, conn.address, a.log))
	if err != nil {
		return err
	}
	defer c.Close()
	if server == nil {
		missing, err := worker.Missing(dialCtx, c, t.Namespace, workflows.SearchAttributes())
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return fmt.Errorf("namespace %q has no search attributes %v: run sluice setup", t.Namespace, missing)
		}
	}
	conn.client = c

	// What ends a worker (an API key that expired, a namespace that was removed)
	// must not end the endpoint: events are accepted and wait.
	ctx, cancelWork := context.WithCancelCause(ctx)
	defer cancelWork(nil)
	var workers *worker.Workers
	if a.part.has(RoleWorker) {
		workers = worker.New(worker.Options{
			Client: c, TaskQueue: t.TaskQueue, Version: a.deployment(), Activities: a.activities, Destinations: a.queues(),
			StopTimeout: a.conf.Server.ShutdownTimeout, OnFatal: func(err error) { cancelWork(fmt.Errorf("worker: %w", err)) },
			Logger: a.log,
		})
		defer workers.Stop()
		a.reloading.Lock() // a reload sees these workers, or they see what it took over
		workers.SetDestinations(a.queues())
		a.workers.Store(workers)
		a.reloading.Unlock()
		defer a.workers.Store(nil)
		if err := workers.Start(a.pauses.Paused); err != nil {
			return err
		}
	}
	a.temporal.current.Store(conn)
	defer a.temporal.current.Store(nil)
	a.temporal.problem.Store(new(string))
	a.log.Info("temporal is ready", "address", conn.address, "namespace", t.Namespace, "ui", conn.ui)

	var parts sync.WaitGroup
	parts.Go(func() { a.pauses.Run(ctx, workers, activities.NewProber(a.activities)) })
	if workers != nil {
		parts.Go(func() { workers.KeepCurrent(ctx) })
	}
	if a.part.has(RoleDispatcher) {
		parts.Go(func() { a.dispatcher.Run(ctx) })
	}
	parts.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// connection turns the configuration of Temporal into what the worker package
// dials.
func connection(t config.Temporal, address string, log *slog.Logger) worker.Connection {
	c := worker.Connection{Address: address, Namespace: t.Namespace, APIKey: t.APIKey, Logger: log}
	if t.TLS != nil {
		c.TLS = &worker.TLS{CA: t.TLS.CA, Cert: t.TLS.Cert, Key: t.TLS.Key, ServerName: t.TLS.ServerName}
	}
	return c
}

// deployment is the version that this instance's workflow worker has on a
// cluster. The embedded server has one worker and needs none.
func (a *App) deployment() worker.Version {
	t := a.conf.Temporal
	if t.Address == "" {
		return worker.Version{}
	}
	v := worker.Version{Deployment: strings.ReplaceAll(t.TaskQueue, ".", "-")}
	if t.Versioning {
		v.BuildID = a.version
	}
	return v
}

// followPauses is for an instance without workers, whose admin API shows them.
func (a *App) followPauses(ctx context.Context) { a.pauses.Run(ctx, (*worker.Workers)(nil), nil) }

func (a *App) queues() map[string]worker.Queue {
	destinations := a.active.Load().file.Config.Destinations
	out := make(map[string]worker.Queue, len(destinations))
	for name, d := range destinations {
		if !a.part.serves(name) {
			continue
		}
		out[name] = worker.Queue{Concurrency: d.Concurrency, WritesPerSecond: float64(d.RateLimit)}
	}
	return out
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// SetupTemporal registers what Sluice needs on a cluster and returns the names
// of the search attributes that were missing.
func SetupTemporal(ctx context.Context, c *config.Config, log *slog.Logger, limit time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cl, err := worker.Dial(ctx, connection(c.Temporal, c.Temporal.Address, log))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return worker.Setup(ctx, cl, c.Temporal.Namespace, workflows.SearchAttributes())
}
