package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/wire"
)

// launcher makes configured lives of one destination's plugin.
type launcher struct {
	program  *program
	settings json.RawMessage
	timeout  time.Duration
	options  OpenOptions
}

// configured is a Client that knows what it is.
type configured struct {
	*Client
	description destination.Description
}

func (c *configured) Description() destination.Description { return c.description }

func (l *launcher) launch(ctx context.Context) (instance, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.timeout, fmt.Errorf("not ready within %v", l.timeout))
	defer cancel()
	options := l.options
	options.Timeout = l.timeout
	c, err := l.program.open(ctx, options)
	if err != nil {
		return nil, err
	}
	d, err := c.Describe(ctx)
	if err != nil {
		c.Close(ctx)
		return nil, fmt.Errorf("describe: %w", err)
	}
	if err := c.Configure(ctx, l.settings); err != nil {
		err = refusal(ctx, err)
		c.Close(ctx)
		return nil, fmt.Errorf("configure: %w", err)
	}
	return &configured{Client: c, description: d}, nil
}

// refusal gives the error of Configure a kind. A plugin that says no without
// saying why means its settings; one that did not get to say anything does not.
func refusal(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*destination.Failure](err); ok {
		return err
	}
	if ctx.Err() != nil || errors.Is(err, ErrExited) || errors.Is(err, wire.ErrUnavailable) {
		return err
	}
	return &destination.Failure{Kind: destination.Misconfigured, Code: "SETTINGS", Err: err}
}
