package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/fake/hubspot"
)

func newSandboxHubSpotCommand() *cobra.Command {
	var listen string
	var o hubspot.Options
	var f faultFlags
	cmd := &cobra.Command{
		Use:   "hubspot",
		Short: "Serve a local HubSpot: an empty CRM to write to",
		Long: `Serve the part of HubSpot's API that the destination hubspot uses, over an account in
memory: objects, properties, associations. Read what it holds under /sandbox/records/<object>,
the associations under /sandbox/associations, and the calls under /sandbox/calls.

Faults: throttle is a 429 that says how long to wait, limit one that does not; unavailable is a
502; silent takes a batch and leaves one record of it out; expire ends the access tokens of OAuth;
whole-batch refuses a batch and does not say for which record.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Token == "" && o.RefreshToken == "" {
				return &usageError{errors.New("--token must not be empty, unless there is a --refresh-token")}
			}
			if o.Mishaps, err = f.parse(); err != nil {
				return err
			}
			o.MishapEvery, o.Refuse, o.Latency = f.every, f.refuse, f.latency
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return serveHubSpot(ctx, cmd.OutOrStdout(), listen, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:9091", "address of the API; port 0 takes a free one")
	flags.StringVar(&o.Token, "token", "sandbox-token", "the service key that is accepted")
	flags.StringVar(&o.ClientID, "client-id", "client", "client_id of the destination, with OAuth")
	flags.StringVar(&o.ClientSecret, "client-secret", "secret", "client_secret of the destination, with OAuth")
	flags.StringVar(&o.RefreshToken, "refresh-token", "", "refresh_token of the destination; empty: no OAuth")
	flags.StringSliceVar(&o.Custom, "custom", nil, "custom objects, such as bills; they need no property to be created")
	flags.IntVar(&o.RatePer10s, "rate", 0, "calls in ten seconds before 429; 0: no limit")
	flags.IntVar(&o.RateDaily, "daily", 0, "calls in a day before 429; 0: no limit")
	flags.Uint64Var(&o.Seed, "seed", 1, "how results are shuffled follows from the seed")
	f.register(cmd, hubspot.Mishaps())
	return cmd
}

func serveHubSpot(ctx context.Context, w io.Writer, listen string, o hubspot.Options) error {
	account := hubspot.New(o)
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	base := "http://" + listener.Addr().String()
	fmt.Fprintf(w, `HubSpot's API on %[1]s

settings      base_url: %[1]s
              token: %[2]s
records       curl %[1]s/sandbox/records/companies
associations  curl %[1]s/sandbox/associations
`, base, o.Token)

	server := &http.Server{Handler: account, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("sandbox: %w", err)
	case <-ctx.Done():
	}
	shutdown, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	return server.Shutdown(shutdown)
}
