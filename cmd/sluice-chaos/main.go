// Command sluice-chaos runs Sluice under faults and verifies that it keeps its
// word. `make chaos` calls it; see docs/chaos.md.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/chaos"
	"github.com/sluicehq/sluice/internal/embedded"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := chaos.Main(ctx, os.Args[1:], os.Stdout, cluster)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sluice-chaos: "+err.Error())
	}
	os.Exit(code)
}

// cluster runs a Temporal server until ctx ends.
func cluster(ctx context.Context, dir, address string) error {
	s, err := embedded.Start(ctx, embedded.Options{
		Dir: dir, Listen: address, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return s.Stop(ctx)
}
