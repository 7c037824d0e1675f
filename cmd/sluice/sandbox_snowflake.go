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

	"github.com/sluicehq/sluice/internal/fake/snowflake"
)

func newSandboxSnowflakeCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "snowflake",
		Short: "Serve a fake Snowflake, to try the destination snowflake",
		Long: `Serve Snowflake's SQL API over tables in memory, with a database SANDBOX. Point base_url of the destination at it; it
takes any account, user and key. GET /sandbox/tables/DATABASE/SCHEMA/TABLE shows the rows of a table.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return fmt.Errorf("sandbox: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), `Snowflake's SQL API on http://%[1]s

settings  database: sandbox
          base_url: http://%[1]s
rows      curl http://%[1]s/sandbox/tables/SANDBOX/ROOTFI/INVOICES
`, listener.Addr())
			server := &http.Server{Handler: snowflake.New(snowflake.Options{Databases: []string{"SANDBOX"}}), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
			defer context.AfterFunc(ctx, func() { _ = server.Close() })()
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("sandbox: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9094", "address of the API; port 0 takes a free one")
	return cmd
}
