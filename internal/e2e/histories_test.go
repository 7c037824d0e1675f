package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/internal/embedded"
	"github.com/sluicehq/sluice/workflows"
)

// recordedBy stands in recorded histories for whoever made them.
const recordedBy = "recorded"

// courses are those that the workflow can take. Their names are files in
// workflows/testdata: after a change of the workflow record it under a new name
// beside the old one, which must still replay.
var courses = map[string]struct {
	applied  activities.ApplyResult
	failures int // of the first destination, before it succeeds
	dead     int // at the first destination
	want     string
}{
	"nothing-changed": {
		applied: activities.ApplyResult{Unchanged: 5},
		want:    workflows.OutcomeNothing,
	},
	"two-destinations": {
		applied: activities.ApplyResult{Changed: 3, Unchanged: 1, Destinations: []activities.DestinationPlan{planned("audit", 4), planned("warehouse", 3)}},
		want:    workflows.OutcomeDelivered,
	},
	"retried": {
		applied:  activities.ApplyResult{Changed: 3, Destinations: []activities.DestinationPlan{planned("audit", 4), planned("warehouse", 3)}},
		failures: 2,
		want:     workflows.OutcomeDelivered,
	},
	"dead-letters": {
		applied: activities.ApplyResult{Changed: 3, Destinations: []activities.DestinationPlan{planned("audit", 4), planned("warehouse", 3)}},
		dead:    1,
		want:    workflows.OutcomeDead,
	},
}

func planned(name string, waiting int) activities.DestinationPlan {
	return activities.DestinationPlan{
		Name: name, Waiting: waiting, Timeout: time.Minute,
		InitialInterval: 50 * time.Millisecond, Coefficient: 2, MaxInterval: time.Second,
	}
}

// What a Temporal server records of today's workflow replays in it. With -update
// those that are new are kept for the replay tests of package workflows.
func TestHistories(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(t.Context(), embedded.Options{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), SearchAttributes: workflows.SearchAttributes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c, err := client.DialContext(t.Context(), client.Options{
		HostPort: server.Address(), Identity: recordedBy, Logger: silent(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)

	for name, tt := range courses {
		t.Run(name, func(t *testing.T) {
			var failed atomic.Int64
			apply := func(context.Context, activities.ApplyInput) (activities.ApplyResult, error) { return tt.applied, nil }
			deliver := func(_ context.Context, in activities.DeliverInput) (activities.DeliverResult, error) {
				if in.Destination != "audit" {
					return activities.DeliverResult{}, nil
				}
				if failed.Add(1) <= int64(tt.failures) {
					return activities.DeliverResult{}, temporal.NewApplicationError("audit: the call failed (refused)", activities.FailureRetry)
				}
				return activities.DeliverResult{Dead: tt.dead}, nil
			}
			queues := []string{name}
			for _, d := range tt.applied.Destinations {
				queues = append(queues, activities.TaskQueue("", d.Name))
			}
			for i, queue := range queues {
				w := worker.New(c, queue, worker.Options{
					LocalActivityWorkerOnly: i == 0, DisableWorkflowWorker: i > 0,
				})
				if i == 0 {
					workflows.Register(w)
					w.RegisterActivityWithOptions(apply, activity.RegisterOptions{Name: "Apply"})
				} else {
					w.RegisterActivityWithOptions(deliver, activity.RegisterOptions{Name: "Deliver"})
				}
				if err := w.Start(); err != nil {
					t.Fatal(err)
				}
				defer w.Stop()
			}

			run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "recorded-" + name, TaskQueue: name},
				workflows.DeliverEventsName, workflows.DeliverInput{Batch: 7, Events: 2})
			if err != nil {
				t.Fatal(err)
			}
			var got workflows.DeliverResult
			if err := run.Get(t.Context(), &got); err != nil || got.Outcome != tt.want {
				t.Fatalf("the workflow ended with %+v, %v; want %s", got, err, tt.want)
			}
			history := historyOf(t, c, run.GetID(), run.GetRunID())
			replay(t, history)
			if *update {
				record(t, name, history)
			}
		})
	}
}

// silent is for what the SDK of the tests has to say.
func silent() tlog.Logger { return tlog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }

func historyOf(t *testing.T, c client.Client, id, run string) *historypb.History {
	t.Helper()
	var out historypb.History
	events := c.GetWorkflowHistory(t.Context(), id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		out.Events = append(out.Events, e)
	}
	return &out
}

func replay(t *testing.T, h *historypb.History) {
	t.Helper()
	r := worker.NewWorkflowReplayer()
	workflows.Register(r)
	if err := r.ReplayWorkflowHistory(silent(), h); err != nil {
		t.Error(err)
	}
}

// record writes the history, without what would name this machine.
func record(t *testing.T, name string, h *historypb.History) {
	t.Helper()
	for _, e := range h.Events {
		scrub(e.GetWorkflowExecutionStartedEventAttributes().GetTaskQueue())
		scrub(e.GetWorkflowTaskScheduledEventAttributes().GetTaskQueue())
	}
	text, err := temporalproto.CustomJSONMarshalOptions{Indent: "  "}.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	text = buildID.ReplaceAll(text, []byte(`"buildId": "`+recordedBy+`"`))
	path := filepath.Join("..", "..", "workflows", "testdata", fmt.Sprintf("%s.json", name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return // histories of the past are not made anew
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// buildID is a checksum of the binary that recorded.
var buildID = regexp.MustCompile(`"buildId": *"[^"]*"`)

// scrub renames a worker's own queue, which is named after its machine.
func scrub(q *taskqueuepb.TaskQueue) {
	if q.GetKind() == enumspb.TASK_QUEUE_KIND_STICKY {
		q.Name = recordedBy
	}
}
