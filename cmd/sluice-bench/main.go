// Command sluice-bench measures a built Sluice from outside and writes what it
// found as tables, JSON and plots. docs/benchmarks.md says what each scenario
// means.
//
//	sluice-bench [flags]                run scenarios
//	sluice-bench report results.json    put results into docs/benchmarks.md
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluicehq/sluice/internal/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "sluice-bench: "+err.Error())
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "report":
			return report(args[1:])
		case "baseline": // this program, started again by itself
			if len(args) == 2 {
				return bench.Baseline(ctx, args[1])
			}
		}
	}
	return run(ctx, args)
}
