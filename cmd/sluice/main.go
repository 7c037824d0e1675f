// Command sluice receives webhooks from a unified accounting API, stores them
// durably and brings what they say to destinations. `sluice help` lists its
// sub-commands; each has a file of its own here.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit status. 0 is success, 1 a
// failure or a configuration with errors, 2 a wrong use of the command line.
func run(ctx context.Context, args []string) int {
	root := newRootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errReported):
		return 1
	default:
		fmt.Fprintln(os.Stderr, "sluice: "+err.Error())
		if _, ok := errors.AsType[*usageError](err); ok {
			return 2
		}
		return 1
	}
}
