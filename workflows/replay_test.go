package workflows_test

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/workflows"
)

// Workflows that an older Sluice has begun are finished by this one: every
// history that was ever recorded replays. If this fails after a change of the
// workflow, keep the old logic behind workflow.GetVersion. New histories are
// recorded by `go test ./internal/e2e -run TestHistories -update`.
func TestRecordedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d recorded histories, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			workflows.Register(r)
			if err := r.ReplayWorkflowHistoryFromJSONFile(tlog.NewStructuredLogger(slog.New(slog.DiscardHandler)), file); err != nil {
				t.Error(err)
			}
		})
	}
}

// What Temporal stores keeps its names: an older Sluice wrote it, or will read
// it after a way back.
func TestStoredFieldsKeepTheirNames(t *testing.T) {
	for name, tt := range map[string]struct {
		value any
		want  string
	}{
		"workflow input": {workflows.DeliverInput{Batch: 7, Events: 2}, `{"batch":7,"events":2}`},
		"workflow result": {
			workflows.DeliverResult{Outcome: workflows.OutcomeDead, Changed: 1, Unchanged: 2, Destinations: []workflows.DestinationResult{{Destination: "crm", Delivered: 3, Dead: 4}}},
			`{"outcome":"dead_letters","changed":1,"unchanged":2,"destinations":[{"destination":"crm","delivered":3,"dead":4}]}`,
		},
		"empty workflow result": {workflows.DeliverResult{Outcome: workflows.OutcomeNothing}, `{"outcome":"nothing","changed":0,"unchanged":0}`},
		"apply input":           {activities.ApplyInput{Batch: 7}, `{"batch":7}`},
		"apply result": {
			activities.ApplyResult{Changed: 1, Unchanged: 2, Destinations: []activities.DestinationPlan{{
				Name: "crm", Waiting: 3, Timeout: time.Minute, InitialInterval: time.Second, Coefficient: 1.5, MaxInterval: time.Hour,
			}}},
			`{"changed":1,"unchanged":2,"destinations":[{"name":"crm","waiting":3,"timeout":60000000000,"initial_interval":1000000000,"coefficient":1.5,"max_interval":3600000000000}]}`,
		},
		"deliver input":  {activities.DeliverInput{Batch: 7, Destination: "crm"}, `{"batch":7,"destination":"crm"}`},
		"deliver result": {activities.DeliverResult{Dead: 4}, `{"dead":4}`},
		"names": {
			[]string{
				workflows.DeliverEventsName, workflows.OutcomeDelivered, workflows.OutcomeDead, workflows.OutcomeNothing,
				activities.TaskQueue("", "crm"), activities.TaskQueue("other", "crm"),
				activities.FailureRetry, activities.FailureNotDue, activities.FailurePaused, activities.FailureMore, activities.FailureGone,
			},
			`["DeliverEvents","delivered","dead_letters","nothing","deliver-crm","other-deliver-crm","retry","not_due","paused","more","gone"]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("stored as %s\nwant      %s", got, tt.want)
			}
		})
	}
}
