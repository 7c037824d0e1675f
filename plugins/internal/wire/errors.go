package wire

import (
	"context"
	"errors"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	pb "github.com/sluicehq/sluice/plugins/destination/destinationpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrUnavailable says that the connection to the plugin broke: whether the call
// took effect is unknown.
var ErrUnavailable = errors.New("connection to the plugin lost")

// maxErrorBytes bounds the text of an error: it travels in a header.
const maxErrorBytes = 16 << 10

// toError makes the error of a destination fit for the wire. A Failure keeps
// its kind, code and time; of anything else only the text crosses.
func toError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, ErrUnsupported):
		return status.Error(codes.Unimplemented, err.Error())
	}
	text := err.Error()
	if len(text) > maxErrorBytes {
		text = text[:maxErrorBytes]
	}
	s := status.New(codes.Unknown, valid(text))
	if f, ok := errors.AsType[*destination.Failure](err); ok {
		detailed, err := s.WithDetails(&pb.Failure{
			Kind:  pb.ResultKind(f.Kind),
			Code:  valid(f.Code),
			Until: toTime(f.Until),
			Scope: valid(string(f.Scope)),
		})
		if err == nil {
			s = detailed
		}
	}
	return s.Err()
}

// fromError is the other half of toError.
func fromError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	text := errors.New(s.Message())
	for _, detail := range s.Details() {
		if f, ok := detail.(*pb.Failure); ok {
			return &destination.Failure{
				Kind:  fromKind(f.GetKind()),
				Code:  f.GetCode(),
				Until: fromTime(f.GetUntil()),
				Scope: fromScope(f.GetScope()),
				Err:   text,
			}
		}
	}
	switch s.Code() {
	case codes.Unknown:
		return text
	case codes.Unimplemented:
		return ErrUnsupported
	case codes.Unavailable:
		return &unavailableError{cause: text}
	case codes.Canceled, codes.DeadlineExceeded:
		// The plugin's clock for the same deadline may ring before the caller's.
		if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		// The caller did not ask for this: the plugin is stopping.
		return &unavailableError{cause: err}
	default: // gRPC's own, such as a message over the limit
		return err
	}
}

// unavailableError keeps gRPC's explanation beside ErrUnavailable.
type unavailableError struct{ cause error }

func (e *unavailableError) Error() string { return ErrUnavailable.Error() + ": " + e.cause.Error() }

func (e *unavailableError) Is(target error) bool { return target == ErrUnavailable }

func (e *unavailableError) Unwrap() error { return e.cause }
