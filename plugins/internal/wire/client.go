package wire

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/sluicehq/sluice/plugins/destination"
	pb "github.com/sluicehq/sluice/plugins/destination/destinationpb"
	"google.golang.org/grpc"
)

// Client is the host's end: a destination in another process. Check, DryRun
// and CheckObject answer [ErrUnsupported] where the plugin cannot.
type Client struct {
	rpc pb.DestinationClient
}

// NewClient returns a client over conn.
func NewClient(conn grpc.ClientConnInterface) *Client {
	return &Client{rpc: pb.NewDestinationClient(conn)}
}

// Describe implements [destination.Destination].
func (c *Client) Describe(ctx context.Context) (destination.Description, error) {
	r, err := c.rpc.Describe(ctx, &pb.DescribeRequest{})
	if err != nil {
		return destination.Description{}, fromError(ctx, err)
	}
	return fromDescription(r), nil
}

// Configure implements [destination.Destination].
func (c *Client) Configure(ctx context.Context, settings json.RawMessage) error {
	_, err := c.rpc.Configure(ctx, &pb.ConfigureRequest{Settings: settings})
	return fromError(ctx, err)
}

// Check implements [destination.Checker].
func (c *Client) Check(ctx context.Context) error {
	_, err := c.rpc.Check(ctx, &pb.CheckRequest{})
	return fromError(ctx, err)
}

// Write implements [destination.Destination].
func (c *Client) Write(ctx context.Context, batch destination.Batch) ([]destination.Result, error) {
	b, err := toBatch(batch)
	if err != nil {
		return nil, err
	}
	r, err := c.rpc.Write(ctx, &pb.WriteRequest{Batch: b})
	if err != nil {
		return nil, fromError(ctx, err)
	}
	if got, want := len(r.GetResults()), len(batch.Records); got != want {
		return nil, fmt.Errorf("the plugin gave %d results for %d records", got, want)
	}
	return fromResults(r.GetResults()), nil
}

// DryRun implements [destination.DryRunner].
func (c *Client) DryRun(ctx context.Context, batch destination.Batch) ([]string, error) {
	b, err := toBatch(batch)
	if err != nil {
		return nil, err
	}
	r, err := c.rpc.DryRun(ctx, &pb.DryRunRequest{Batch: b})
	if err != nil {
		return nil, fromError(ctx, err)
	}
	return r.GetLines(), nil
}

// CheckObject implements [destination.ObjectChecker].
func (c *Client) CheckObject(ctx context.Context, object string, fields []string) (destination.ObjectCheck, error) {
	r, err := c.rpc.CheckObject(ctx, &pb.CheckObjectRequest{Object: object, Fields: fields})
	if err != nil {
		return destination.ObjectCheck{}, fromError(ctx, err)
	}
	return destination.ObjectCheck{Missing: r.GetMissing(), Unknown: r.GetUnknown(), Known: r.GetKnown()}, nil
}
