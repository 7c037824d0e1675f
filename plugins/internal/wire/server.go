package wire

import (
	"context"

	"github.com/sluicehq/sluice/plugins/destination"
	pb "github.com/sluicehq/sluice/plugins/destination/destinationpb"
)

// server is the plugin's end.
type server struct {
	pb.UnimplementedDestinationServer
	destination destination.Destination
}

func (s *server) Describe(ctx context.Context, _ *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	d, err := s.destination.Describe(ctx)
	if err != nil {
		return nil, toError(ctx, err)
	}
	return toDescription(d), nil
}

func (s *server) Configure(ctx context.Context, r *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	if err := s.destination.Configure(ctx, r.GetSettings()); err != nil {
		return nil, toError(ctx, err)
	}
	return &pb.ConfigureResponse{}, nil
}

func (s *server) Check(ctx context.Context, _ *pb.CheckRequest) (*pb.CheckResponse, error) {
	checker, ok := s.destination.(destination.Checker)
	if !ok {
		return nil, toError(ctx, ErrUnsupported)
	}
	if err := checker.Check(ctx); err != nil {
		return nil, toError(ctx, err)
	}
	return &pb.CheckResponse{}, nil
}

func (s *server) Write(ctx context.Context, r *pb.WriteRequest) (*pb.WriteResponse, error) {
	batch, err := fromBatch(r.GetBatch())
	if err != nil {
		return nil, toError(ctx, err)
	}
	results, err := s.destination.Write(ctx, batch)
	if err != nil {
		return nil, toError(ctx, err)
	}
	return &pb.WriteResponse{Results: toResults(results)}, nil
}

func (s *server) DryRun(ctx context.Context, r *pb.DryRunRequest) (*pb.DryRunResponse, error) {
	runner, ok := s.destination.(destination.DryRunner)
	if !ok {
		return nil, toError(ctx, ErrUnsupported)
	}
	batch, err := fromBatch(r.GetBatch())
	if err != nil {
		return nil, toError(ctx, err)
	}
	lines, err := runner.DryRun(ctx, batch)
	if err != nil {
		return nil, toError(ctx, err)
	}
	for i := range lines {
		lines[i] = valid(lines[i])
	}
	return &pb.DryRunResponse{Lines: lines}, nil
}

func (s *server) CheckObject(ctx context.Context, r *pb.CheckObjectRequest) (*pb.CheckObjectResponse, error) {
	checker, ok := s.destination.(destination.ObjectChecker)
	if !ok {
		return nil, toError(ctx, ErrUnsupported)
	}
	got, err := checker.CheckObject(ctx, r.GetObject(), r.GetFields())
	if err != nil {
		return nil, toError(ctx, err)
	}
	for i := range got.Known {
		got.Known[i] = valid(got.Known[i])
	}
	return &pb.CheckObjectResponse{Missing: got.Missing, Unknown: got.Unknown, Known: got.Known}, nil
}
