package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/fake/bigquery"
)

func newSandboxBigQueryCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "bigquery",
		Short: "Serve a fake BigQuery, to try the destination bigquery",
		Long: `Serve the part of BigQuery's API that the destination bigquery uses, over tables in memory. Point endpoint of the
destination at it; it asks for no credentials. GET /sandbox/tables/DATASET/TABLE?project=PROJECT shows the rows of a table.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return fmt.Errorf("sandbox: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), `BigQuery's API on http://%[1]s

settings  project: sandbox
          endpoint: http://%[1]s
rows      curl 'http://%[1]s/sandbox/tables/rootfi/invoices?project=sandbox'
`, listener.Addr())
			server := &http.Server{Handler: bigquery.New(bigquery.Options{}), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
			defer context.AfterFunc(ctx, func() { _ = server.Close() })()
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("sandbox: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9093", "address of the API; port 0 takes a free one")
	return cmd
}
