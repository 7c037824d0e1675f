package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/app"
)

func newServeCommand(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Receive webhooks and deliver them, until stopped", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, problems, err := f.check(cmd.Context())
			if err != nil {
				return err
			}
			if len(problems) > 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), problems.Error())
			}
			if problems.Err() != nil {
				return errReported
			}
			rareCollections()
			return app.New(app.Options{File: file, Logger: newLogger(file.Config.Log), Version: version}).Run(cmd.Context())
		},
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
