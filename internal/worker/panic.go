package worker

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
)

// FailurePanic is the type of failure of an activity that panicked. Stored;
// never rename.
const FailurePanic = "panic"

// panicGuard turns a panic of an activity into a failure that says nothing of
// its value. The SDK would write the value into the history and the log, and it
// may quote a record.
type panicGuard struct {
	interceptor.WorkerInterceptorBase
	log *slog.Logger
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (g *panicGuard) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	in := &guardedActivity{log: g.log}
	in.Next = next
	return in
}

type guardedActivity struct {
	interceptor.ActivityInboundInterceptorBase
	log *slog.Logger
}

// ExecuteActivity implements interceptor.ActivityInboundInterceptor.
func (g *guardedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (result any, err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		what := fmt.Sprintf("%T", v)
		if e, ok := v.(runtime.Error); ok {
			what = e.Error()
		}
		name := activity.GetInfo(ctx).ActivityType.Name
		g.log.Error("panic in an activity (this is a bug, please report it)", "activity", name, "panic", what, "stack", string(debug.Stack()))
		err = temporal.NewApplicationError(name+" panicked; the stack is in the log", FailurePanic)
	}()
	return g.Next.ExecuteActivity(ctx, in)
}
