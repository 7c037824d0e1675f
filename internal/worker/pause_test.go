package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/temporaltest"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
	"github.com/sluicehq/sluice/internal/worker"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/workflows"
)

// slowWriter is a destination whose writes take their time.
type slowWriter struct {
	takes          time.Duration
	begun          chan struct{}
	writes, cutOff atomic.Int32
}

func (w *slowWriter) Write(ctx context.Context, _ string, b destination.Batch) ([]destination.Result, error) {
	w.writes.Add(1)
	select {
	case w.begun <- struct{}{}:
	default:
	}
	select {
	case <-time.After(w.takes):
	case <-ctx.Done():
		w.cutOff.Add(1)
		return nil, ctx.Err()
	}
	results := make([]destination.Result, len(b.Records))
	for i := range results {
		results[i].Kind = destination.Delivered
	}
	return results, nil
}

type noPasses struct{}

func (noPasses) Applied(int64, []string)       {}
func (noPasses) Attempted(int64, string, bool) {}

type attempt struct {
	ledger  *sqlite.Ledger
	batch   int64
	writer  *slowWriter
	workers *worker.Workers
}

// underWay returns when the first of several writes to a destination has begun.
func underWay(t *testing.T, stopTimeout, takes time.Duration) *attempt {
	l, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	table, err := routing.Compile([]config.Route{{Name: "r", To: []string{"d"}}})
	if err != nil {
		t.Fatal(err)
	}
	settings := &activities.Settings{TaskQueue: "main", Table: table, Destinations: map[string]activities.Destination{"d": {
		MaxBatchRecords: 1, MaxBatchBytes: 1 << 20, Timeout: time.Minute,
		InitialInterval: time.Second, Coefficient: 2, MaxInterval: time.Minute, MaxElapsed: time.Hour,
	}}}
	a := &attempt{ledger: l, writer: &slowWriter{takes: takes, begun: make(chan struct{}, 1)}}
	acts := activities.New(activities.Options{
		Store: l, Writer: a.writer, Passes: noPasses{}, Metrics: activities.NewMetrics(prometheus.NewRegistry()),
		Logger: slog.New(slog.DiscardHandler), Settings: func() *activities.Settings { return settings },
	})
	a.batch = book(t, l)

	server := temporaltest.NewServer(temporaltest.WithT(t))
	c := server.GetDefaultClient()
	if _, err := worker.Setup(t.Context(), c, server.GetDefaultNamespace(), workflows.SearchAttributes()); err != nil {
		t.Fatal(err)
	}
	a.workers = worker.New(worker.Options{
		Client: c, TaskQueue: "main", Activities: acts, Destinations: map[string]worker.Queue{"d": {Concurrency: 1}},
		StopTimeout: stopTimeout, OnFatal: func(err error) { t.Error(err) }, Logger: slog.New(slog.DiscardHandler),
	})
	if err := a.workers.Start(func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.workers.Stop)
	_, err = c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "w", TaskQueue: "main"},
		"DeliverEvents", map[string]int64{"batch": a.batch})
	if err != nil {
		t.Fatal(err)
	}
	<-a.writer.begun
	return a
}

// book makes a batch of several records that are wanted.
func book(t *testing.T, l *sqlite.Ledger) int64 {
	ev, err := l.Append(t.Context(), event.Event{Source: "s", ID: "1", ReceivedAt: time.Now(), Body: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := l.ClaimBatch(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var changes []event.Change
	for i := range 20 {
		changes = append(changes, event.Change{
			Key: event.RecordKey{Source: "s", Model: "M", PlatformID: fmt.Sprint(i)}, Operation: event.Update,
			Stamp: event.Stamp{At: 1, Seq: ev.Seq, Index: int64(i)}, Fields: map[string]json.RawMessage{"a": json.RawMessage("1")},
		})
	}
	if _, err := l.Apply(t.Context(), ledger.Application{
		Batch: b.ID, Changes: changes, Final: true,
		Route: func(ledger.Merged) []ledger.Want { return []ledger.Want{{Destination: "d", Route: "r"}} },
	}); err != nil {
		t.Fatal(err)
	}
	return b.ID
}

func (a *attempt) waiting(t *testing.T) int {
	p, err := a.ledger.Pending(t.Context(), a.batch)
	if err != nil {
		t.Fatal(err)
	}
	return p["d"]
}

// await returns when no more than n deliveries are waiting.
func (a *attempt) await(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); a.waiting(t) > n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d deliveries are waiting, want %d", a.waiting(t), n)
		}
	}
}

func TestPauseLetsOneWriteEndAndNoOtherBegin(t *testing.T) {
	a := underWay(t, 100*time.Millisecond, 3*time.Second)
	a.workers.Pause("d")
	a.await(t, 19) // all but the one that was under way
	time.Sleep(500 * time.Millisecond)
	if n := a.writer.cutOff.Load(); n > 0 {
		t.Error("the write under way was cut off")
	}
	if n := a.writer.writes.Load(); n != 1 {
		t.Errorf("%d writes, want the one that was under way", n)
	}
	if n := a.waiting(t); n != 19 {
		t.Errorf("%d deliveries are waiting, want all but one", n)
	}
	a.writer.takes = time.Millisecond
	if err := a.workers.Resume("d"); err != nil {
		t.Fatal(err)
	}
	a.await(t, 0)
}

func TestStopIsBounded(t *testing.T) {
	a := underWay(t, 300*time.Millisecond, time.Minute)
	began := time.Now()
	a.workers.Stop()
	if took := time.Since(began); took < 200*time.Millisecond || took > 10*time.Second {
		t.Errorf("stopped after %v", took)
	}
	if n := a.writer.cutOff.Load(); n != 1 {
		t.Errorf("%d writes were cut off, want the one under way", n)
	}
}
