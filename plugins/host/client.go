package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-plugin"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/wire"
)

// ErrExited says that the plugin process ended during a call. Whether the call
// took effect is unknown.
var ErrExited = errors.New("plugin process exited")

// ErrNotSupported is the error of Check, DryRun and CheckObject where the plugin
// has no such capability.
var ErrNotSupported = wire.ErrUnsupported

// exitNotice bounds the wait for the end of a process whose connection broke.
// The connection goes first, usually by a moment, by outputDelay at most.
const exitNotice = outputDelay + time.Second

// Client is one life of one plugin process: a [destination.Destination], with
// Check, DryRun and CheckObject, that runs elsewhere. Nothing restarts it. Most callers want
// a [Host] instead; Client serves tests and tools.
type Client struct {
	rpc     *wire.Client
	child   *child
	plugin  *plugin.Client
	printed *lineLogger
	grace   time.Duration
}

// Describe implements [destination.Destination].
func (c *Client) Describe(ctx context.Context) (destination.Description, error) {
	d, err := c.rpc.Describe(ctx)
	return d, c.explain(err)
}

// Configure implements [destination.Destination].
func (c *Client) Configure(ctx context.Context, settings json.RawMessage) error {
	return c.explain(c.rpc.Configure(ctx, settings))
}

// Check implements [destination.Checker].
func (c *Client) Check(ctx context.Context) error {
	return c.explain(c.rpc.Check(ctx))
}

// Write implements [destination.Destination].
func (c *Client) Write(ctx context.Context, batch destination.Batch) ([]destination.Result, error) {
	results, err := c.rpc.Write(ctx, batch)
	return results, c.explain(err)
}

// DryRun implements [destination.DryRunner].
func (c *Client) DryRun(ctx context.Context, batch destination.Batch) ([]string, error) {
	lines, err := c.rpc.DryRun(ctx, batch)
	return lines, c.explain(err)
}

// CheckObject implements [destination.ObjectChecker].
func (c *Client) CheckObject(ctx context.Context, object string, fields []string) (destination.ObjectCheck, error) {
	got, err := c.rpc.CheckObject(ctx, object, fields)
	return got, c.explain(err)
}

// PID is the process id.
func (c *Client) PID() int { return int(c.child.pid.Load()) }

// Done is closed when the process has ended.
func (c *Client) Done() <-chan struct{} { return c.child.done }

// Cause says how the process ended, such as "signal: killed". It is nil before.
func (c *Client) Cause() error {
	select {
	case <-c.child.done:
		return c.child.cause
	default:
		return nil
	}
}

// Close asks the process to stop, waits, kills it if it does not stop within the
// grace period or before ctx ends, and returns when it is gone.
func (c *Client) Close(ctx context.Context) {
	c.child.release()
	grace := time.NewTimer(c.grace)
	defer grace.Stop()
	select {
	case <-c.child.done:
	case <-grace.C:
		_ = c.child.Kill(ctx)
	case <-ctx.Done():
		_ = c.child.Kill(ctx)
	}
	c.ended()
}

// Kill ends the process without asking and returns when it is gone.
func (c *Client) Kill() error {
	err := c.child.Kill(context.Background())
	c.ended()
	return err
}

func (c *Client) ended() {
	<-c.child.done
	c.plugin.Kill() // closes the connection and waits for go-plugin's goroutines
	c.printed.end()
}

// explain says of a lost connection that the process ended, if it did.
func (c *Client) explain(err error) error {
	if !errors.Is(err, wire.ErrUnavailable) {
		return err
	}
	notice := time.NewTimer(exitNotice)
	defer notice.Stop()
	select {
	case <-c.child.done:
		return fmt.Errorf("%w: %w", ErrExited, c.child.cause)
	case <-notice.C:
		return err
	}
}
