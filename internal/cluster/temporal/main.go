// Command temporal runs a Temporal cluster on PostgreSQL for tests, benchmarks
// and fault runs, until it is told to stop. It prints a line that begins with
// "ready" once workflows can be started.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluicehq/sluice/internal/cluster"
)

func main() {
	var o cluster.Options
	flag.StringVar(&o.Postgres, "postgres", "", "URL of the `database` for histories; made when it is missing")
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:7233", "`address` of the frontend")
	flag.StringVar(&o.Namespace, "namespace", "default", "`name` of the namespace; made when it is missing")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := cluster.Run(ctx, o, func() { fmt.Println("ready " + o.Listen) }); err != nil {
		fmt.Fprintln(os.Stderr, "temporal: "+err.Error())
		os.Exit(1)
	}
}
