package httpanswer

import (
	"context"
	"time"
)

// KeepTime ends a context before its deadline: by the given time, or by a tenth
// of what is left if that is less. A Write of several requests uses it, so that
// what was written when the time ends can still be told.
func KeepTime(ctx context.Context, keep time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(keep, time.Until(deadline)/10)))
}
