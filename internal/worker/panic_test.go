package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Invariant 5: a panic says nothing of its value, neither to Temporal nor to the
// log, of a local activity and of another one.
func TestPanicOfAnActivityIsNotQuoted(t *testing.T) {
	for name, tt := range map[string]struct {
		panics func()
		logged string
	}{
		"text":    {func() { panic("cannot take 4111111111111111") }, "panic=string"},
		"error":   {func() { panic(errors.New("cannot take 4111111111111111")) }, "panic=*errors.errorString"},
		"runtime": {func() { _ = []int{}[len(t.Name())] }, "index out of range"},
	} {
		for _, local := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				var logged bytes.Buffer
				env := new(testsuite.WorkflowTestSuite).NewTestWorkflowEnvironment()
				env.SetTestTimeout(time.Minute) // a busy machine is no deadlock
				env.SetWorkerOptions(worker.Options{
					DeadlockDetectionTimeout: time.Hour,
					Interceptors:             []interceptor.WorkerInterceptor{&panicGuard{log: slog.New(slog.NewTextHandler(&logged, nil))}},
				})
				act := func(context.Context) error { tt.panics(); return nil }
				env.RegisterActivityWithOptions(act, activity.RegisterOptions{Name: "Act"})
				env.ExecuteWorkflow(func(ctx workflow.Context) error {
					once := &temporal.RetryPolicy{MaximumAttempts: 1}
					if local {
						ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute, RetryPolicy: once})
						return workflow.ExecuteLocalActivity(ctx, act).Get(ctx, nil)
					}
					ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, RetryPolicy: once})
					return workflow.ExecuteActivity(ctx, "Act").Get(ctx, nil)
				})
				failure, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
				if !ok || failure.Type() != FailurePanic || failure.NonRetryable() {
					t.Fatalf("got %v", env.GetWorkflowError())
				}
				if text := env.GetWorkflowError().Error(); strings.Contains(text, "41111111") {
					t.Errorf("the failure quotes: %s", text)
				}
				if s := logged.String(); !strings.Contains(s, tt.logged) || !strings.Contains(s, "panic_test.go") || strings.Contains(s, "41111111") {
					t.Errorf("logged %s", s)
				}
			})
		}
	}
}
