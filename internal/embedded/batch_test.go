//go:build !slim

package embedded

import (
	"fmt"
	"testing"

	batchpb "go.temporal.io/api/batch/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// The batch actions of the UI need Temporal's own worker.
func TestBatchTerminate(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Dir: t.TempDir()})
	c := dial(t, s)
	for i := range 3 {
		if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: fmt.Sprint("w", i), TaskQueue: "nobody"}, greet, "x"); err != nil {
			t.Fatal(err)
		}
	}
	count := func(query string) int64 {
		got, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return got.GetCount()
	}
	const running = `WorkflowType = "greet" AND ExecutionStatus = "Running"`
	eventually(t, func() bool { return count(running) == 3 })
	_, err := c.WorkflowService().StartBatchOperation(t.Context(), &workflowservice.StartBatchOperationRequest{
		Namespace: s.Namespace(), JobId: "job", Reason: "test", VisibilityQuery: running,
		Operation: &workflowservice.StartBatchOperationRequest_TerminationOperation{TerminationOperation: &batchpb.BatchOperationTermination{}},
	})
	if err != nil {
		t.Fatalf("start batch: %v", err)
	}
	eventually(t, func() bool { return count(`ExecutionStatus = "Terminated"`) == 3 })
	eventually(t, func() bool {
		got, err := c.WorkflowService().DescribeBatchOperation(t.Context(), &workflowservice.DescribeBatchOperationRequest{Namespace: s.Namespace(), JobId: "job"})
		return err == nil && got.GetState() == enumspb.BATCH_OPERATION_STATE_COMPLETED
	})
}
