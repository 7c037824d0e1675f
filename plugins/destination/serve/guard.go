package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/wire"
)

// guard stands between the wire and a destination: it holds the author to the
// contract and keeps a panic in one call from ending the others.
type guard struct {
	destination destination.Destination
	stderr      io.Writer
	stopping    context.Context // ended by cancel when the process stops
	cancel      context.CancelFunc

	mu    sync.Mutex // orders calls.Add against stop
	calls sync.WaitGroup
}

func newGuard(d destination.Destination, stderr io.Writer) *guard {
	g := &guard{destination: d, stderr: stderr}
	g.stopping, g.cancel = context.WithCancel(context.Background())
	return g
}

// call runs one call with a context that also ends when the process stops.
func (g *guard) call(ctx context.Context, name string, f func(context.Context) error) error {
	g.mu.Lock()
	if g.stopping.Err() != nil {
		g.mu.Unlock()
		return errors.New("the plugin is stopping")
	}
	g.calls.Add(1)
	g.mu.Unlock()
	defer g.calls.Done()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.stopping, cancel)()
	return g.recover(name, func() error { return f(ctx) })
}

// recover turns a panic of f into a Failure. The stack goes to standard error. A
// panic's value may quote anything, so it goes nowhere but when it comes from Go
// itself; its type has to do.
func (g *guard) recover(name string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			what := fmt.Sprintf("%T", v)
			if e, ok := v.(runtime.Error); ok {
				what = e.Error()
			}
			fmt.Fprintf(g.stderr, "panic in %s: %s\n%s", name, what, debug.Stack())
			err = &destination.Failure{
				Kind: destination.Retry,
				Code: destination.CodePanic,
				Err:  fmt.Errorf("%s: the plugin panicked; the stack is in the log", name),
			}
		}
	}()
	return f()
}

func (g *guard) Describe(ctx context.Context) (d destination.Description, err error) {
	err = g.call(ctx, "describe", func(ctx context.Context) error {
		d, err = g.destination.Describe(ctx)
		return err
	})
	return d, err
}

func (g *guard) Configure(ctx context.Context, settings json.RawMessage) error {
	return g.call(ctx, "configure", func(ctx context.Context) error {
		return g.destination.Configure(ctx, settings)
	})
}

func (g *guard) Check(ctx context.Context) error {
	checker, ok := g.destination.(destination.Checker)
	if !ok {
		return wire.ErrUnsupported
	}
	return g.call(ctx, "check", checker.Check)
}

func (g *guard) Write(ctx context.Context, batch destination.Batch) (results []destination.Result, err error) {
	err = g.call(ctx, "write", func(ctx context.Context) error {
		results, err = g.destination.Write(ctx, batch)
		if err == nil && len(results) != len(batch.Records) {
			// Which record a result belongs to is anybody's guess now.
			return fmt.Errorf("write: the plugin gave %d results for %d records", len(results), len(batch.Records))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

func (g *guard) DryRun(ctx context.Context, batch destination.Batch) (lines []string, err error) {
	runner, ok := g.destination.(destination.DryRunner)
	if !ok {
		return nil, wire.ErrUnsupported
	}
	err = g.call(ctx, "dry run", func(ctx context.Context) error {
		lines, err = runner.DryRun(ctx, batch)
		return err
	})
	return lines, err
}

func (g *guard) CheckObject(ctx context.Context, object string, fields []string) (got destination.ObjectCheck, err error) {
	checker, ok := g.destination.(destination.ObjectChecker)
	if !ok {
		return got, wire.ErrUnsupported
	}
	err = g.call(ctx, "check object", func(ctx context.Context) error {
		got, err = checker.CheckObject(ctx, object, fields)
		return err
	})
	return got, err
}
