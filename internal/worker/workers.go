package worker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/workflows"
)

// Queue is how a destination's task queue is worked on.
type Queue struct {
	Concurrency     int
	WritesPerSecond float64 // 0 = no limit; held by the server over all instances
}

// Options are what [New] needs.
type Options struct {
	Client       client.Client
	TaskQueue    string // of workflows
	Version      Version
	Activities   *activities.Activities
	Destinations map[string]Queue
	StopTimeout  time.Duration // how long a stop waits for activities
	OnFatal      func(error)   // a worker cannot go on
	Logger       *slog.Logger
}

// Workers are this process's workers.
type Workers struct {
	o    Options
	main worker.Worker

	attempts context.Context // of attempts to deliver
	cutOff   context.CancelFunc

	mu           sync.Mutex // not held while a worker stops
	destinations map[string]worker.Worker
	stopping     sync.WaitGroup
	stopped      bool
}

// New returns workers that do not poll yet.
func New(o Options) *Workers {
	w := &Workers{o: o, destinations: make(map[string]worker.Worker)}
	w.attempts, w.cutOff = context.WithCancel(context.Background())
	w.main = worker.New(o.Client, o.TaskQueue, worker.Options{
		WorkerStopTimeout:                      o.StopTimeout,
		OnFatalError:                           o.OnFatal,
		LocalActivityWorkerOnly:                true,
		MaxConcurrentWorkflowTaskPollers:       4,
		DisableRegistrationAliasing:            true,
		Interceptors:                           []interceptor.WorkerInterceptor{&panicGuard{log: o.Logger}},
		MaxConcurrentWorkflowTaskExecutionSize: 100,
		DeploymentOptions:                      o.Version.options(),
	})
	workflows.Register(w.main)
	w.main.RegisterActivityWithOptions(o.Activities.Apply, activity.RegisterOptions{Name: "Apply"})
	return w
}

// names are those of the destinations. A process may have no workers at all.
func (w *Workers) names() []string {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.o.Destinations))
}

// Start begins to poll, for all destinations but those that are paused.
func (w *Workers) Start(paused func(destination string) bool) error {
	if err := w.main.Start(); err != nil {
		return fmt.Errorf("start workflow worker: %w", err)
	}
	for _, name := range w.names() {
		if !paused(name) {
			if err := w.Resume(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Resume polls the destination's task queue. It does nothing if it is polled.
func (w *Workers) Resume(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	q, ok := w.o.Destinations[name]
	if !ok || w.stopped || w.destinations[name] != nil {
		return nil
	}
	got := worker.New(w.o.Client, activities.TaskQueue(w.o.TaskQueue, name), worker.Options{
		WorkerStopTimeout:                  noTimeout,
		BackgroundActivityContext:          w.attempts,
		OnFatalError:                       w.o.OnFatal,
		DisableWorkflowWorker:              true,
		MaxConcurrentActivityExecutionSize: q.Concurrency,
		MaxConcurrentActivityTaskPollers:   min(2, q.Concurrency),
		TaskQueueActivitiesPerSecond:       q.WritesPerSecond,
		DisableRegistrationAliasing:        true,
		Interceptors:                       []interceptor.WorkerInterceptor{&panicGuard{log: w.o.Logger}},
	})
	got.RegisterActivityWithOptions(w.o.Activities.Deliver, activity.RegisterOptions{Name: "Deliver"})
	if err := got.Start(); err != nil {
		return fmt.Errorf("start worker of destination %s: %w", name, err)
	}
	w.destinations[name] = got
	return nil
}

// noTimeout: a worker that is paused waits for its attempts. They end after the
// write under way, and a stop of all workers bounds them together.
const noTimeout = 24 * time.Hour

// Pause stops polling the destination's task queue. Attempts under way end with
// their present write.
func (w *Workers) Pause(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.destinations[name]
	if got == nil {
		return
	}
	delete(w.destinations, name)
	// Stop waits for attempts under way, and one of them may be what asked.
	w.stopping.Go(got.Stop)
}

// lastWords is how long attempts that were cut off may take to book what they
// know and to tell Temporal.
const lastWords = 10 * time.Second

// Stop ends polling and waits for writes under way. After StopTimeout it cuts
// them off.
func (w *Workers) Stop() {
	w.mu.Lock()
	w.stopped = true
	for name, got := range w.destinations {
		delete(w.destinations, name)
		w.stopping.Go(got.Stop)
	}
	w.mu.Unlock()
	w.stopping.Go(w.main.Stop)
	defer w.cutOff()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.stopping.Wait()
	}()
	select {
	case <-ended:
		return
	case <-time.After(w.o.StopTimeout):
	}
	w.cutOff()
	select {
	case <-ended:
	case <-time.After(lastWords):
		w.o.Logger.Warn("attempts to deliver do not end, the process does")
	}
}
