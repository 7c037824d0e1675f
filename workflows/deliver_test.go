package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/workflows"
)

func plan(name string, waiting int) activities.DestinationPlan {
	return activities.DestinationPlan{
		Name: name, Waiting: waiting, Timeout: time.Minute,
		InitialInterval: time.Second, Coefficient: 2, MaxInterval: time.Minute,
	}
}

func environment(t *testing.T) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(tlog.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	// A busy machine is no deadlock.
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Hour})
	env.SetTestTimeout(time.Minute)
	workflows.Register(env)
	var a *activities.Activities
	env.RegisterActivityWithOptions(a.Apply, activity.RegisterOptions{Name: "Apply"})
	env.RegisterActivityWithOptions(a.Deliver, activity.RegisterOptions{Name: "Deliver"})
	env.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Maybe()
	return env
}

func TestDeliverEvents(t *testing.T) {
	for name, tt := range map[string]struct {
		applied activities.ApplyResult
		dead    map[string]int
		want    workflows.DeliverResult
	}{
		"nothing changed": {
			applied: activities.ApplyResult{Unchanged: 5},
			want:    workflows.DeliverResult{Outcome: workflows.OutcomeNothing, Unchanged: 5},
		},
		"delivered everywhere": {
			applied: activities.ApplyResult{Changed: 3, Destinations: []activities.DestinationPlan{plan("audit", 4), plan("warehouse", 3)}},
			want: workflows.DeliverResult{Outcome: workflows.OutcomeDelivered, Changed: 3, Destinations: []workflows.DestinationResult{
				{Destination: "audit", Delivered: 4}, {Destination: "warehouse", Delivered: 3},
			}},
		},
		"one destination gave some up": {
			applied: activities.ApplyResult{Changed: 3, Destinations: []activities.DestinationPlan{plan("audit", 4), plan("warehouse", 3)}},
			dead:    map[string]int{"warehouse": 1},
			want: workflows.DeliverResult{Outcome: workflows.OutcomeDead, Changed: 3, Destinations: []workflows.DestinationResult{
				{Destination: "audit", Delivered: 4}, {Destination: "warehouse", Delivered: 2, Dead: 1},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := environment(t)
			env.OnActivity("Apply", mock.Anything, activities.ApplyInput{Batch: 7}).Return(tt.applied, nil)
			env.OnActivity("Deliver", mock.Anything, mock.Anything).Return(
				func(_ context.Context, in activities.DeliverInput) (activities.DeliverResult, error) {
					return activities.DeliverResult{Dead: tt.dead[in.Destination]}, nil
				})
			env.ExecuteWorkflow(workflows.DeliverEventsName, workflows.DeliverInput{Batch: 7, Events: 1})
			var got workflows.DeliverResult
			if err := env.GetWorkflowResult(&got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestADestinationThatFailsDelaysNoOther(t *testing.T) {
	env := environment(t)
	env.OnActivity("Apply", mock.Anything, mock.Anything).Return(
		activities.ApplyResult{Changed: 1, Destinations: []activities.DestinationPlan{plan("down", 1), plan("up", 1)}}, nil)
	start := env.Now()
	attempts := 0
	var done []string
	env.OnActivity("Deliver", mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.DeliverInput) (activities.DeliverResult, error) {
			if in.Destination == "down" {
				if attempts++; attempts < 5 {
					return activities.DeliverResult{}, temporal.NewApplicationError("down: the call failed (refused)", activities.FailureRetry)
				}
			}
			done = append(done, in.Destination)
			return activities.DeliverResult{}, nil
		})
	env.ExecuteWorkflow(workflows.DeliverEventsName, workflows.DeliverInput{Batch: 7})
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if strings.Join(done, " ") != "up down" {
		t.Errorf("done in the order %v, want the healthy destination first", done)
	}
	if took := env.Now().Sub(start); took < 15*time.Second { // 1 + 2 + 4 + 8
		t.Errorf("five attempts within %v, want the policy's growing waits", took)
	}
}

func TestApplyIsTriedUntilTheLedgerIsBack(t *testing.T) {
	env := environment(t)
	attempts := 0
	env.OnActivity("Apply", mock.Anything, mock.Anything).Return(
		func(context.Context, activities.ApplyInput) (activities.ApplyResult, error) {
			if attempts++; attempts < 9 {
				return activities.ApplyResult{}, errors.New("the ledger cannot grow")
			}
			return activities.ApplyResult{Unchanged: 1}, nil
		})
	env.ExecuteWorkflow(workflows.DeliverEventsName, workflows.DeliverInput{Batch: 7})
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if attempts != 9 {
		t.Errorf("%d attempts", attempts)
	}
}

func TestDetailsAreATable(t *testing.T) {
	env := environment(t)
	env.OnActivity("Apply", mock.Anything, mock.Anything).Return(
		activities.ApplyResult{Changed: 2, Destinations: []activities.DestinationPlan{plan("warehouse", 2)}}, nil)
	env.OnActivity("Deliver", mock.Anything, mock.Anything).Return(activities.DeliverResult{Dead: 1}, nil)
	env.ExecuteWorkflow(workflows.DeliverEventsName, workflows.DeliverInput{Batch: 7})
	got, err := env.QueryWorkflow("__temporal_workflow_metadata")
	if err != nil {
		t.Fatal(err)
	}
	var metadata sdkpb.WorkflowMetadata
	if err := got.Get(&metadata); err != nil {
		t.Fatal(err)
	}
	if want := "| warehouse | 1 | 0 | 1 |"; !strings.Contains(metadata.CurrentDetails, want) {
		t.Errorf("details are %q, want a row %q", metadata.CurrentDetails, want)
	}
}

// Who looks at a workflow that waits sees why.
func TestDetailsNameWhatIsPaused(t *testing.T) {
	env := environment(t)
	waits := plan("crm", 2)
	waits.Paused = "throttled until 2026-11-27T00:00:00Z"
	env.OnActivity("Apply", mock.Anything, mock.Anything).Return(
		activities.ApplyResult{Changed: 2, Destinations: []activities.DestinationPlan{plan("warehouse", 2), waits}}, nil)
	var before string
	env.OnActivity("Deliver", mock.Anything, mock.Anything).Return(
		activities.DeliverResult{}, nil).After(time.Minute)
	details := func() string {
		got, err := env.QueryWorkflow("__temporal_workflow_metadata")
		if err != nil {
			t.Fatal(err)
		}
		var metadata sdkpb.WorkflowMetadata
		if err := got.Get(&metadata); err != nil {
			t.Fatal(err)
		}
		return metadata.CurrentDetails
	}
	env.RegisterDelayedCallback(func() { before = details() }, time.Second)
	env.ExecuteWorkflow(workflows.DeliverEventsName, workflows.DeliverInput{Batch: 7})
	if want := "crm is paused: throttled until 2026-11-27T00:00:00Z"; !strings.Contains(before, want) || strings.Contains(before, "warehouse is paused") {
		t.Errorf("details while it waits: %q, want %q", before, want)
	}
	if after := details(); strings.Contains(after, "paused") {
		t.Errorf("details after it was delivered: %q", after)
	}
}
