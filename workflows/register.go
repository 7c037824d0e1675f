//go:build !upgradetest

package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register adds the workflows to a worker.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(DeliverEvents, workflow.RegisterOptions{Name: DeliverEventsName})
}
