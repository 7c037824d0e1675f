package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/demo"
)

func newDemoCommand() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use: "demo", Short: "See the main job done on this machine: a sandbox company, a warehouse, an audit trail", Args: exactArgs(0),
		Long: "Start a Sluice with everything embedded, play a sandbox company's life into it with faults on, wait until all is " +
			"delivered, verify the destinations against what the sandbox expects, and print what happened.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			o.Sluice, o.Out = exe, cmd.OutOrStdout()
			return demo.Run(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "demo", "directory for everything that is written")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "what is made and sent follows from the seed")
	cmd.Flags().IntVar(&o.Records, "records", 5000, "records of the company after its initial sync")
	cmd.Flags().BoolVar(&o.Keep, "keep", false, "stay up until interrupted")
	return cmd
}
