package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/endpoint/admin"
)

// query is a set of flags that narrow a list; names are those of the admin API.
type query map[string]*string

func (q query) flag(cmd *cobra.Command, name, usage string) {
	q[name] = cmd.Flags().String(name, "", usage)
}

func (q query) values() map[string]string {
	out := make(map[string]string, len(q))
	for name, v := range q {
		out[name] = *v
	}
	return out
}

func batchOf(e admin.Event) string {
	if e.Batch == 0 {
		return ""
	}
	return fmt.Sprintf("batch %d", e.Batch)
}

func newEventsCommand(f *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "Look at accepted events"}
	list := &cobra.Command{Use: "list", Short: "List events, newest first", Args: exactArgs(0)}
	q := query{}
	q.flag(list, "source", "only of this source")
	q.flag(list, "company", "only of this company id")
	q.flag(list, "model", "only of this data model")
	q.flag(list, "kind", "only of this kind")
	unrouted := list.Flags().Bool("unrouted", false, "only those that no route takes, but for a catch_all")
	q.flag(list, "before", "only events with a smaller sequence number")
	q.flag(list, "limit", "at most so many (default 50)")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		values := q.values()
		if *unrouted {
			values["unrouted"] = "true"
		}
		events, err := c.Events(cmd.Context(), values)
		if err != nil {
			return err
		}
		return f.show(cmd.OutOrStdout(), events, func(w io.Writer) {
			table(w, "SEQ RECEIVED SOURCE EVENT KIND COMPANY MODEL OPERATION RECORDS STATE", func(row func(...any)) {
				for _, e := range events {
					row(e.Seq, when(e.ReceivedAt), e.Source, e.ID, e.Kind, e.CompanyID, e.Model, e.Operation, e.Records, e.State)
				}
			})
		})
	}
	var source string
	show := &cobra.Command{Use: "show EVENT_ID", Short: "Show an event, its deliveries and its body", Args: exactArgs(1)}
	show.Flags().StringVar(&source, "source", "rootfi", "name of the source")
	show.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := f.client(cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		e, err := c.Event(cmd.Context(), source, args[0])
		if err != nil {
			return fmt.Errorf("event %s of %s: %w", args[0], source, err)
		}
		return f.show(cmd.OutOrStdout(), e, func(w io.Writer) {
			facts(w,
				[]any{"event", e.ID, "source " + e.Source, fmt.Sprintf("sequence %d", e.Seq)},
				[]any{"kind", e.Kind, e.Format},
				[]any{"company", e.CompanyID, e.Integration},
				[]any{"data", e.Model, e.Operation, count(e.Records, "record")},
				[]any{"sync", e.SyncID, e.Status},
				[]any{"received", when(e.ReceivedAt)},
				[]any{"state", e.State, batchOf(e)},
				[]any{"revision", e.Revision},
			)
			if len(e.Deliveries) > 0 {
				fmt.Fprintln(w, "\ndeliveries of its batch:")
				table(w, "DESTINATION MODEL DELIVERED WAITING DEAD", func(row func(...any)) {
					for _, d := range e.Deliveries {
						row(d.Destination, d.Model, d.Delivered, d.Waiting, d.Dead)
					}
				})
			}
			fmt.Fprintf(w, "\n%s\n", plain(string(e.Body)))
		})
	}
	cmd.AddCommand(list, show)
	return cmd
}
