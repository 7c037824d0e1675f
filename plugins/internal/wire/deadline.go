package wire

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// headerDeadline tells the end of a call in milliseconds since 1970. gRPC tells
// how long is left, which begins anew where a plugin stood still before it read
// the call: it would then write what others have replaced meanwhile. Host and
// plugin have one clock.
const headerDeadline = "sluice-deadline"

// tellDeadline is the host's end.
func tellDeadline(ctx context.Context, method string, req, reply any, c *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if end, ok := ctx.Deadline(); ok {
		millis := end.Add(time.Millisecond - 1).UnixMilli() // not before the caller's own
		ctx = metadata.AppendToOutgoingContext(ctx, headerDeadline, strconv.FormatInt(millis, 10))
	}
	return invoke(ctx, method, req, reply, c, opts...)
}

// obeyDeadline is the plugin's end: a call that is read too late is not made.
func obeyDeadline(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	told := metadata.ValueFromIncomingContext(ctx, headerDeadline)
	if len(told) == 0 {
		return handle(ctx, req)
	}
	end, err := strconv.ParseInt(told[0], 10, 64)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, headerDeadline+" is not a number of milliseconds")
	}
	if !time.Now().Before(time.UnixMilli(end)) {
		return nil, status.Error(codes.Aborted, "the call was read after its deadline")
	}
	ctx, cancel := context.WithDeadline(ctx, time.UnixMilli(end))
	defer cancel()
	return handle(ctx, req)
}
