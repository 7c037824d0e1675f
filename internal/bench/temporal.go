package bench

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// cost is what Temporal did for a load.
type cost struct {
	workflows, history, transitions int64
}

// costSince asks Temporal for the workflows of a task queue that started since a moment, when
// all of them have ended. Temporal lists a workflow with its cost a moment after
// it has ended.
func costSince(ctx context.Context, address, queue string, begin time.Time) (cost, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return cost{}, err
	}
	defer conn.Close()
	service := workflowservice.NewWorkflowServiceClient(conn)
	for deadline := time.Now().Add(time.Minute); ; {
		c, running, err := sum(ctx, service, fmt.Sprintf("TaskQueue = %q AND StartTime >= %q", queue, begin.UTC().Format(time.RFC3339Nano)))
		if err != nil {
			return c, fmt.Errorf("ask Temporal for the cost: %w", err)
		}
		if running == 0 && c.workflows > 0 {
			return c, nil
		}
		if time.Now().After(deadline) {
			return c, fmt.Errorf("of %d workflows in Temporal %d do not end", c.workflows, running)
		}
		if !sleepUntil(ctx, time.Now().Add(200*time.Millisecond)) {
			return c, context.Cause(ctx)
		}
	}
}

func sum(ctx context.Context, service workflowservice.WorkflowServiceClient, query string) (c cost, running int64, err error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: "default", PageSize: 1000, Query: query,
	}
	for {
		page, err := service.ListWorkflowExecutions(ctx, request)
		if err != nil {
			return c, running, err
		}
		for _, w := range page.Executions {
			c.workflows++
			c.history += w.HistoryLength
			c.transitions += w.StateTransitionCount
			if w.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
				running++
			}
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return c, running, nil
		}
	}
}
