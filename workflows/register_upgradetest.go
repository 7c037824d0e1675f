//go:build upgradetest

package workflows

import (
	"time"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register adds the workflows as a later version of Sluice might have them. The
// test of a rolling upgrade builds it.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(deliverEventsLater, workflow.RegisterOptions{Name: DeliverEventsName})
}

// deliverEventsLater is changed in a way that histories show: the workflow of
// today fails on those that it made, and would fail on today's without the patch.
func deliverEventsLater(ctx workflow.Context, in DeliverInput) (DeliverResult, error) {
	if workflow.GetVersion(ctx, "upgradetest", workflow.DefaultVersion, 1) >= 1 {
		if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
			return DeliverResult{}, err
		}
	}
	return DeliverEvents(ctx, in)
}
