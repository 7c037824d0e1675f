package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"
)

func newStatusCommand(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Sum up the running server: backlog, data models, deliveries", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.client(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			s, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), s, func(w io.Writer) {
				// An instance with the role endpoint alone has no connection, and one
				// without it no address for webhooks.
				temporal := "not connected"
				if s.Links.Temporal != "" {
					temporal = s.Links.Temporal + ", namespace " + s.Links.Namespace
				}
				refused := ""
				if r := s.Config.Refused; r != nil {
					refused = when(r.At) + ": " + r.Problem
				}
				facts(w,
					[]any{"version", s.Links.Version},
					[]any{"webhooks", s.Links.Endpoint},
					[]any{"temporal", temporal},
					[]any{"temporal UI", s.Links.TemporalUI},
					[]any{"data", s.Links.DataDir},
					[]any{"config", s.Config.Path, "revision " + s.Config.Revision, "loaded " + when(s.Config.LoadedAt)},
					[]any{"refused", refused},
					[]any{"backlog", fmt.Sprintf("%d events", s.Backlog.Events), fmt.Sprintf("%d batches", s.Backlog.Batches)},
				)
				fmt.Fprintln(w)
				table(w, "MODEL CHANGES CHANGED UNCHANGED", func(row func(...any)) {
					for _, m := range slices.Sorted(maps.Keys(s.Models)) {
						row(m, s.Models[m].Changes, s.Models[m].Changed, s.Models[m].Unchanged)
					}
				})
				fmt.Fprintln(w)
				table(w, "DESTINATION MODEL DELIVERED WAITING DEAD", func(row func(...any)) {
					for _, d := range s.Deliveries {
						row(d.Destination, d.Model, d.Delivered, d.Waiting, d.Dead)
					}
				})
			})
		},
	}
}
