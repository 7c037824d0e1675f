package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
	"github.com/sluicehq/sluice/plugins/destination"
)

// fakeWriter is a plugin host that counts records per call.
type fakeWriter struct {
	mu    sync.Mutex
	sizes []int
	write func(ctx context.Context, b destination.Batch) ([]destination.Result, error)
}

func (w *fakeWriter) Write(ctx context.Context, _ string, b destination.Batch) ([]destination.Result, error) {
	w.mu.Lock()
	w.sizes = append(w.sizes, len(b.Records))
	w.mu.Unlock()
	return w.write(ctx, b)
}

type noPasses struct{}

func (noPasses) Applied(int64, []string)       {}
func (noPasses) Attempted(int64, string, bool) {}

// inBubble runs a test on a clock of its own, which moves when all of it waits:
// however slow the machine is, work takes no time.
func inBubble(test func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, test) }
}

// pipe is Deliver between a real ledger and a fake plugin.
type pipe struct {
	*testing.T
	*sqlite.Ledger
	w   *fakeWriter
	a   *Activities
	env *testsuite.TestActivityEnvironment

	events int
}

func newPipe(t *testing.T, d Destination) *pipe {
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
	b := &pipe{T: t, Ledger: l, w: &fakeWriter{}}
	settings := &Settings{Table: table, Destinations: map[string]Destination{"d": d}}
	b.a = New(Options{
		Store: l, Writer: b.w, Passes: noPasses{}, Metrics: NewMetrics(prometheus.NewRegistry()),
		Logger: slog.New(slog.DiscardHandler), Settings: func() *Settings { return settings },
	})
	var s testsuite.WorkflowTestSuite
	s.SetLogger(tlog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	b.env = s.NewTestActivityEnvironment()
	b.env.RegisterActivity(b.a)
	return b
}

// book makes a batch of n records that are wanted.
func (b *pipe) book(n int) ledger.Batch {
	b.Helper()
	return b.bookModels(slices.Repeat([]string{"M"}, n)...)
}

// bookModels makes a batch of one record for each model.
func (b *pipe) bookModels(models ...string) ledger.Batch {
	b.Helper()
	b.events++
	a, err := b.Append(b.Context(), event.Event{Source: "s", ID: fmt.Sprint(b.events), ReceivedAt: time.Now(), Body: []byte("{}")})
	if err != nil {
		b.Fatal(err)
	}
	batch, ok, err := b.ClaimBatch(b.Context(), 100)
	if err != nil || !ok {
		b.Fatal(err, ok)
	}
	var changes []event.Change
	for i, model := range models {
		changes = append(changes, event.Change{
			Key:       event.RecordKey{Source: "s", Model: model, PlatformID: fmt.Sprint(batch.ID, "-", i)},
			Operation: event.Update, Stamp: event.Stamp{At: 1, Seq: a.Seq, Index: int64(i)},
			Fields: map[string]json.RawMessage{"a": json.RawMessage("1")},
		})
	}
	if _, err := b.Ledger.Apply(b.Context(), ledger.Application{
		Batch: batch.ID, Changes: changes, Final: true,
		Route: func(ledger.Merged) []ledger.Want { return []ledger.Want{{Destination: "d", Route: "r"}} },
	}); err != nil {
		b.Fatal(err)
	}
	return batch
}

// deliver calls until the activity succeeds or the attempts are over.
func (b *pipe) deliver(batch int64, attempts int) error {
	var err error
	for range attempts {
		_, err = b.env.ExecuteActivity(b.a.Deliver, DeliverInput{Batch: batch, Destination: "d"})
		if err == nil {
			return nil
		}
		if ae, ok := errors.AsType[*temporal.ApplicationError](err); ok && ae.Type() == FailureNotDue {
			time.Sleep(min(ae.NextRetryDelay(), 50*time.Millisecond))
		}
	}
	return err
}

var quick = Destination{
	MaxBatchRecords: 100, MaxBatchBytes: 8 << 20, Timeout: time.Minute,
	InitialInterval: 2 * time.Millisecond, Coefficient: 1.5, MaxInterval: 20 * time.Millisecond, MaxElapsed: time.Hour,
}

func delivered(b destination.Batch) []destination.Result {
	out := make([]destination.Result, len(b.Records))
	for i := range out {
		out[i].Kind = destination.Delivered
	}
	return out
}

func (b *pipe) pending(batch int64) int {
	b.Helper()
	p, err := b.Pending(b.Context(), batch)
	if err != nil {
		b.Fatal(err)
	}
	return p["d"]
}

func TestRecordThatBreaksCallsStaysAlone(t *testing.T) {
	for name, failure := range map[string]error{
		"the process dies":  errors.New("the process died"),
		"the plugin panics": &destination.Failure{Kind: destination.Retry, Code: destination.CodePanic, Err: errors.New("panicked")},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			b := newPipe(t, quick)
			shared := 0 // calls that it broke for others
			b.w.write = func(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
				if slices.ContainsFunc(batch.Records, func(r destination.Record) bool { return r.Key[2] == "1-70" }) {
					if len(batch.Records) > 1 {
						shared++
					}
					return nil, failure
				}
				return delivered(batch), nil
			}
			_ = b.deliver(b.book(100).ID, 40)
			if p := b.pending(1); p != 1 {
				t.Fatalf("%d deliveries are waiting, want the one that breaks calls", p)
			}
			shared = 0
			for range 20 {
				_ = b.deliver(b.book(10).ID, 3)
				time.Sleep(5 * time.Millisecond) // the one is due again
			}
			if shared > 0 {
				t.Errorf("%d calls were lost with others in them", shared)
			}
		}))
	}
}

func TestFullBatchesAfterAnOutage(t *testing.T) {
	for name, failure := range map[string]error{
		"the plugin says so": &destination.Failure{Kind: destination.Retry, Code: "CONNECTION", Err: errors.New("refused")},
		"nobody answers":     context.DeadlineExceeded,
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			b := newPipe(t, quick)
			b.w.write = func(context.Context, destination.Batch) ([]destination.Result, error) { return nil, failure }
			batch := b.book(500)
			_ = b.deliver(batch.ID, 200)
			b.w.write = func(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
				return delivered(batch), nil
			}
			b.w.sizes = nil
			time.Sleep(quick.MaxInterval)
			if err := b.deliver(batch.ID, 20); err != nil {
				t.Fatal(err)
			}
			if len(b.w.sizes) > 40 {
				t.Errorf("%d calls for 500 records: %v", len(b.w.sizes), b.w.sizes)
			}
		}))
	}
}
