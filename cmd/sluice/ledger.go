package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/app"
)

func newLedgerCommand(f *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Move the ledger from SQLite to PostgreSQL"}
	cmd.AddCommand(newLedgerCopy(f))
	return cmd
}

func newLedgerCopy(f *shared) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use: "copy", Short: "Copy a SQLite ledger into the empty PostgreSQL ledger of the configuration",
		Long: "Copy the SQLite ledger of a data directory into the empty PostgreSQL ledger that the configuration names. " +
			"No sluice may run on the data directory. The copy is there whole or not at all, and what arrived is compared with " +
			"what was read. The data directory stays as it is.",
		Args: exactArgs(0),
	}
	cmd.Flags().StringVar(&from, "from", "", "data directory of the SQLite ledger (default: data_dir of the configuration)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		file, err := f.load(cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		if from == "" {
			from = file.Config.DataDir
		}
		counts, err := app.CopyLedger(cmd.Context(), file.Config, from, newLogger(file.Config.Log))
		if err != nil {
			return err
		}
		return f.show(cmd.OutOrStdout(), counts, func(w io.Writer) {
			table(w, "TABLE ROWS", func(row func(cells ...any)) {
				for _, name := range slices.Sorted(maps.Keys(counts)) {
					row(name, counts[name])
				}
			})
			fmt.Fprintf(w, "copied and compared: start sluice serve with this configuration, and keep %s until you trust it\n", from)
		})
	}
	return cmd
}
