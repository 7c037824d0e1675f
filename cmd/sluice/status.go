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
				fmt.Fprintf(w, "webhooks     %s\n", s.Links.Endpoint)
				fmt.Fprintf(w, "temporal     %s, namespace %s\n", s.Links.Temporal, s.Links.Namespace)
				fmt.Fprintf(w, "temporal UI  %s\n", s.Links.TemporalUI)
				fmt.Fprintf(w, "data         %s\n", s.Links.DataDir)
				fmt.Fprintf(w, "config       %s, revision %s, loaded %s\n", s.Config.Path, s.Config.Revision, when(s.Config.LoadedAt))
				if r := s.Config.Refused; r != nil {
					fmt.Fprintf(w, "refused      %s: %s\n", when(r.At), oneLine(r.Problem))
				}
				fmt.Fprintf(w, "backlog      %d events, %d batches\n\n", s.Backlog.Events, s.Backlog.Batches)
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
