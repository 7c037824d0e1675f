package wire

import (
	"context"

	"github.com/sluicehq/sluice/plugins/destination"
	pb "github.com/sluicehq/sluice/plugins/destination/destinationpb"
)

func (s *server) Metrics(ctx context.Context, _ *pb.MetricsRequest) (*pb.MetricsResponse, error) {
	meter, ok := s.destination.(destination.Meter)
	if !ok {
		return nil, toError(ctx, ErrUnsupported)
	}
	list, err := meter.Metrics(ctx)
	if err != nil {
		return nil, toError(ctx, err)
	}
	out := &pb.MetricsResponse{}
	for _, m := range list {
		labels := map[string]string{}
		for name, value := range m.Labels {
			labels[valid(name)] = valid(value)
		}
		out.Metrics = append(out.Metrics, &pb.Metric{Name: valid(m.Name), Labels: labels, Value: m.Value})
	}
	return out, nil
}

// Metrics implements [destination.Meter].
func (c *Client) Metrics(ctx context.Context) ([]destination.Metric, error) {
	r, err := c.rpc.Metrics(ctx, &pb.MetricsRequest{})
	if err != nil {
		return nil, fromError(ctx, err)
	}
	list := make([]destination.Metric, 0, len(r.GetMetrics()))
	for _, m := range r.GetMetrics() {
		list = append(list, destination.Metric{Name: m.GetName(), Labels: m.GetLabels(), Value: m.GetValue()})
	}
	return list, nil
}
