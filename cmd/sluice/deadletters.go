package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

func newDeadLettersCommand(f *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "dead-letters", Aliases: []string{"dead"}, Short: "Look at, retry or discard deliveries that were given up"}
	cmd.AddCommand(
		newDeadLettersList(f), newDeadLettersShow(f),
		newDeadLettersAction(f, "retry", "Book dead letters again", "booked again"),
		newDeadLettersAction(f, "discard", "Give dead letters up for good", "discarded"),
	)
	return cmd
}

func newDeadLettersList(f *shared) *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List open dead letters, newest first", Args: exactArgs(0)}
	q := query{}
	q.flag(list, "destination", "only of this destination")
	q.flag(list, "model", "only of this data model")
	q.flag(list, "code", "only with this code")
	q.flag(list, "before", "only with a smaller id")
	q.flag(list, "limit", "at most so many (default 50)")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		letters, err := c.DeadLetters(cmd.Context(), q.values())
		if err != nil {
			return err
		}
		return f.show(cmd.OutOrStdout(), letters, func(w io.Writer) {
			table(w, "ID SINCE DESTINATION WHAT REASON CODE ATTEMPTS", func(row func(...any)) {
				for _, d := range letters {
					row(d.ID, when(d.CreatedAt), d.Destination, what(d), d.ErrorKind, d.Code, d.Attempts)
				}
			})
		})
	}
	return list
}

func what(d ledger.DeadLetter) string {
	if d.Key != (event.RecordKey{}) {
		return d.Key.String()
	}
	if d.Kind == ledger.DeliverEvent {
		return "event " + d.EventID
	}
	return fmt.Sprintf("event %s #%d", d.EventID, d.Index)
}

func newDeadLettersShow(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a dead letter with what the destination said", Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.client(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			d, err := c.DeadLetter(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("dead letter %s: %w", args[0], err)
			}
			return f.show(cmd.OutOrStdout(), d, func(w io.Writer) {
				facts(w,
					[]any{"dead letter", d.ID, d.State},
					[]any{"what", what(d), fmt.Sprintf("version %d", d.Version)},
					[]any{"destination", d.Destination, "route " + d.Route},
					[]any{"since", when(d.CreatedAt), "after " + count(d.Attempts, "attempt")},
					[]any{"reason", d.ErrorKind, d.Code},
				)
				fmt.Fprintf(w, "\n%s\n", plain(d.Message))
			})
		},
	}
}

func newDeadLettersAction(f *shared, action, short, done string) *cobra.Command {
	in := admin.DeadLetterAction{Action: action}
	cmd := &cobra.Command{Use: action + " [ID…]", Short: short}
	cmd.Flags().BoolVar(&in.All, "all", false, "all open dead letters")
	cmd.Flags().StringVar(&in.Destination, "destination", "", "all of this destination")
	cmd.Flags().StringVar(&in.Model, "model", "", "all of this data model")
	cmd.Flags().StringVar(&in.Code, "code", "", "all with this code")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		for _, a := range args {
			id, err := strconv.ParseInt(a, 10, 64)
			if err != nil {
				return wrongUse(cmd, "%q is not the id of a dead letter", a)
			}
			in.IDs = append(in.IDs, id)
		}
		if in.All && len(in.IDs) > 0 {
			return wrongUse(cmd, "name dead letters by id or say --all, not both")
		}
		if !in.All && len(in.IDs) == 0 && in.Destination == "" && in.Model == "" && in.Code == "" {
			return wrongUse(cmd, "name dead letters by id, narrow them down with --destination, --model or --code, or say --all")
		}
		c, err := f.client(cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		got, err := c.ActOnDeadLetters(cmd.Context(), in)
		if err != nil {
			return err
		}
		return f.show(cmd.OutOrStdout(), got, func(w io.Writer) { fmt.Fprintf(w, "%s %s\n", count(got.Count, "dead letter"), done) })
	}
	return cmd
}
