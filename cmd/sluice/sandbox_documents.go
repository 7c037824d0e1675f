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

	"github.com/sluicehq/sluice/plugins/destination/conformance/documents"
)

func newSandboxDocumentsCommand() *cobra.Command {
	var listen, token string
	cmd := &cobra.Command{
		Use:   "documents",
		Short: "Serve a small API of JSON documents, for a plugin of your own to write to",
		Long: `Serve a small API of JSON documents in memory: what the plugin of "sluice plugins new" writes to. PUT and GET
a document under any path; a path that ends in a slash lists those below it. POST /-/fault/throttle?retry_after=5,
/-/fault/outage, /-/fault/hang and /-/fault/none make it misbehave, and behave again.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return fmt.Errorf("sandbox: %w", err)
			}
			base := "http://" + listener.Addr().String()
			fmt.Fprintf(cmd.OutOrStdout(), "documents on %[1]s, with the token %[2]s\nsee them: curl -H 'Authorization: Bearer %[2]s' %[1]s/\n", base, token)
			server := &http.Server{Handler: documents.New(token), ReadHeaderTimeout: 10 * time.Second}
			defer context.AfterFunc(ctx, func() { _ = server.Close() })()
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("sandbox: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9093", "address of the API; port 0 takes a free one")
	cmd.Flags().StringVar(&token, "token", "sandbox-token", "the token that is accepted")
	return cmd
}
