package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/app"
)

func newServeCommand(f *shared) *cobra.Command {
	var part app.Part
	watch := false
	cmd := &cobra.Command{
		Use: "serve", Short: "Receive webhooks and deliver them, until stopped",
		Long: "Receive webhooks and deliver them, until stopped. On SIGHUP the configuration is read again and taken over, " +
			"as by sluice reload.\n\n" +
			"With a ledger in PostgreSQL and a Temporal cluster, several instances can " +
			"share the work, each of them all of it or a part: the role endpoint accepts webhooks, dispatcher starts workflows, worker " +
			"merges and delivers.",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// From here on a SIGHUP does not end the process; one that comes before it
			// is up counts as soon as it is.
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			file, problems, err := f.check(cmd.Context(), part)
			if err != nil {
				return err
			}
			if len(problems) > 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), problems.Report())
			}
			if problems.Err() != nil {
				return errReported
			}
			if err := part.Check(file.Config); err != nil {
				return wrongUse(cmd, "%w", err)
			}
			rareCollections()
			a := app.New(app.Options{
				File: file, Source: app.Source{Load: f.read, Again: f.loader().Again}, Watch: watch,
				Logger: newLogger(file.Config.Log), Version: version, Part: part,
			})
			defer onHangup(cmd.Context(), hangups, a.HangUp)()
			return a.Run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "take a changed configuration over by itself, as the setting watch does")
	cmd.Flags().StringSliceVar(&part.Roles, "roles", nil, "what this instance does: "+strings.Join(app.Roles(), ",")+" (default all)")
	cmd.Flags().StringSliceVar(&part.Destinations, "destinations", nil, "the destinations that this instance delivers to (default all)")
	return cmd
}

// onHangup calls f for each signal until the returned function is called, which
// waits for the last call.
func onHangup(ctx context.Context, signals <-chan os.Signal, f func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-signals:
				f(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// rareCollections lets the heap grow to three times what lives before it is
// collected. What lives is tens of MiB of caches, and nearly all of what a server
// allocates is garbage when its event is through: collecting half as often as by
// Go's default costs memory that is small on any machine. GOGC says otherwise.
func rareCollections() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

func newLogger(c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}
