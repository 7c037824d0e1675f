package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/endpoint/admin"
)

func newDestinationsCommand(f *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "destinations", Short: "Look at, check, pause or resume destinations"}
	cmd.AddCommand(
		newDestinationsList(f), newDestinationsCheck(f),
		newDestinationsAction(f, "pause", "Stop delivering to a destination; what it waits for is kept", "paused"),
		newDestinationsAction(f, "resume", "Deliver to a paused destination again", "resumed"),
	)
	return cmd
}

func newDestinationsList(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List destinations with what waits for them", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			list, err := c.Destinations(cmd.Context())
			if err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), list, func(w io.Writer) {
				table(w, "DESTINATION PLUGIN STATE DELIVERED WAITING DEAD OLDEST PAUSE", func(row func(...any)) {
					for _, d := range list {
						plugin, state := "", "not configured"
						if d.Process != nil {
							plugin, state = d.Process.Plugin+" "+d.Process.Version, d.Process.State
						}
						row(d.Destination, plugin, state, d.Delivered, d.Waiting, d.Dead, when(d.OldestSince), pausesText(d.DestinationState))
					}
				})
			})
		},
	}
}

func newDestinationsCheck(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "check [NAME…]", Short: "Test credentials and reachability of destinations (all of this instance, if none is named)",
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := f.client(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if len(names) == 0 {
				list, err := c.Destinations(cmd.Context())
				if err != nil {
					return err
				}
				for _, d := range list {
					if d.Process != nil && d.Process.State != admin.StateElsewhere {
						names = append(names, d.Destination)
					}
				}
			}
			results := []admin.CheckResult{}
			failed := false
			for _, name := range names {
				got, err := c.ActOnDestination(cmd.Context(), name, "check")
				if err != nil {
					return fmt.Errorf("check %s: %w", name, err)
				}
				failed = failed || !got.OK
				results = append(results, got)
			}
			err = f.show(cmd.OutOrStdout(), results, func(w io.Writer) {
				table(w, "DESTINATION RESULT", func(row func(...any)) {
					for _, r := range results {
						row(r.Destination, map[bool]string{true: "ok", false: r.Problem}[r.OK])
					}
				})
			})
			if err == nil && failed {
				err = errReported
			}
			return err
		},
	}
}

func newDestinationsAction(f *shared, action, short, done string) *cobra.Command {
	return &cobra.Command{
		Use: action + " NAME", Short: short, Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			got, err := c.ActOnDestination(cmd.Context(), args[0], action)
			if err != nil {
				return fmt.Errorf("%s %s: %w", action, args[0], err)
			}
			return f.show(cmd.OutOrStdout(), got, func(w io.Writer) { fmt.Fprintf(w, "%s %s\n", args[0], done) })
		},
	}
}
