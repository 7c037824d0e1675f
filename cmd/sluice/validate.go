package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/app"
)

func newValidateCommand(f *shared) *cobra.Command {
	var online bool
	cmd := &cobra.Command{
		Use: "validate", Short: "Check the configuration, and every plugin it names, without starting anything", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, problems, err := f.check(cmd.Context(), app.Part{})
			if err != nil {
				return err
			}
			if online && problems.Err() == nil {
				probe := app.NewProbe(file)
				defer probe.Close(context.WithoutCancel(cmd.Context()))
				problems = append(problems, probe.Check(cmd.Context())...)
				problems.Sort()
			}
			if problems == nil {
				problems = config.Diagnostics{} // an empty list in JSON, not null
			}
			if f.output == "sarif" {
				log, err := problems.SARIF(version)
				if err != nil {
					return fmt.Errorf("write SARIF: %w", err)
				}
				if _, err := cmd.OutOrStdout().Write(log); err != nil {
					return err
				}
				if problems.Err() != nil {
					return errReported
				}
				return nil
			}
			// What is wrong is what this command was asked for: standard output.
			err = f.show(cmd.OutOrStdout(), problems, func(w io.Writer) {
				if len(problems) > 0 {
					fmt.Fprintln(w, problems.Report())
				}
				if problems.Err() == nil {
					c := file.Config
					fmt.Fprintf(w, "%s: ok (%s, %s, %s)\n", f.configPath,
						count(len(c.Sources), "source"), count(len(c.Destinations), "destination"), count(len(c.Flat()), "route"))
				}
			})
			if err == nil && problems.Err() != nil {
				err = errReported
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&online, "online", false, "also ask the destinations: credentials, and whether the objects and fields of mappings are there")
	return cmd
}

func newConfigCommand(f *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at the configuration and its language"}
	cmd.AddCommand(
		&cobra.Command{
			Use: "schema", Short: "Print the JSON Schema of the configuration, for editors", Args: exactArgs(0),
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := cmd.OutOrStdout().Write(config.Schema())
				return err
			},
		},
		&cobra.Command{
			Use: "show", Short: "Print the effective configuration, secrets masked, with the place that each value comes from",
			Args: exactArgs(0),
			RunE: func(cmd *cobra.Command, _ []string) error {
				file, err := f.load(cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				out, err := file.RedactedYAML()
				if err != nil {
					return fmt.Errorf("print the configuration: %w", err)
				}
				return f.show(cmd.OutOrStdout(), file.Effective(), func(w io.Writer) { fmt.Fprintf(w, "%s", out) })
			},
		},
	)
	return cmd
}
