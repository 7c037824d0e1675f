package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newRecordsCommand(f *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "records", Short: "Look at merged records"}
	show := &cobra.Command{
		Use: "show PLATFORM_ID", Short: "Show a record and where it was delivered",
		Long: "Show the merged state of each record with this platform id, and its deliveries. Flags narrow it down when several match.",
		Args: exactArgs(1),
	}
	q := query{}
	q.flag(show, "source", "only of this source")
	q.flag(show, "company", "only of this company id")
	q.flag(show, "integration", "only of this integration")
	q.flag(show, "model", "only of this data model")
	show.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := f.client(cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		query := q.values()
		query["platform_id"] = args[0]
		records, err := c.Records(cmd.Context(), query)
		if err != nil {
			return fmt.Errorf("record %s: %w", args[0], err)
		}
		return f.show(cmd.OutOrStdout(), records, func(w io.Writer) {
			for i, r := range records {
				if i > 0 {
					fmt.Fprintln(w)
				}
				state := "living"
				if r.Deleted {
					state = "deleted"
				}
				fmt.Fprintf(w, "%s %s of company %s (%s, source %s): version %d, %s, updated %s\n\n",
					r.Model, r.PlatformID, r.CompanyID, r.Integration, r.Source, r.Version, state, when(r.UpdatedAt))
				table(w, "DESTINATION ROUTE REVISION STATE DELIVERED WANTED ATTEMPTS PROBLEM", func(row func(...any)) {
					for _, d := range r.Deliveries {
						row(d.Destination, d.Route, d.Revision, d.State, d.Delivered, d.Wanted, d.Attempts, d.ErrorKind+" "+d.Code+" "+d.Message)
					}
				})
				fields, _ := json.MarshalIndent(r.Fields, "", "  ")
				fmt.Fprintf(w, "\n%s\n", fields)
			}
		})
	}
	cmd.AddCommand(show)
	return cmd
}
