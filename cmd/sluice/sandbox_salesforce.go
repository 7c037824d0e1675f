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

	"github.com/sluicehq/sluice/internal/fake/salesforce"
)

func newSandboxSalesforceCommand() *cobra.Command {
	var o salesforce.Options
	var listen string
	var f faultFlags
	cmd := &cobra.Command{
		Use:   "salesforce",
		Short: "Serve a fake Salesforce org, to try the destination salesforce",
		Long: `Serve a Salesforce org in memory, with the objects of the pack rootfi/salesforce. Point login_url of the
destination at it. GET /_fake/records/Account shows the records; POST /_fake/faults takes a fault, such as
{"path":"composite","status":503,"code":"SERVER_UNAVAILABLE","times":3} or {"key":"an external id","code":"UNABLE_TO_LOCK_ROW"}.

Faults that come by themselves: throttle is a 429 that says how long to wait, unavailable a 503, expire ends all access
tokens, lock refuses one record of a batch with UNABLE_TO_LOCK_ROW.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Mishaps, err = f.parse(); err != nil {
				return err
			}
			o.MishapEvery, o.Refuse, o.Latency = f.every, f.refuse, f.latency
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			listener, err := net.Listen("tcp", listen)
			if err != nil {
				return fmt.Errorf("sandbox: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "fake Salesforce org on http://%s\n", listener.Addr())
			server := &http.Server{Handler: salesforce.New(o), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
			defer context.AfterFunc(ctx, func() { _ = server.Close() })()
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("sandbox: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:9092", "address of the API; port 0 takes a free one")
	cmd.Flags().StringVar(&o.ClientID, "client-id", "client", "client_id of the destination")
	cmd.Flags().StringVar(&o.ClientSecret, "client-secret", "secret", "client_secret of the destination")
	cmd.Flags().IntVar(&o.DailyLimit, "daily-limit", 100_000, "requests that a day may hold")
	f.register(cmd, salesforce.Mishaps())
	return cmd
}
