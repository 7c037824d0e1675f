package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/rehearsal"
)

func newTestCommand(f *shared) *cobra.Command {
	var junit string
	update := false
	cmd := &cobra.Command{
		Use: "test [FILE…]", Short: "Run tests of the configuration: events in, deliveries out",
		Long: "Run tests of the configuration: each sends events through payload, merge, routes and mappings, in memory, and compares what " +
			"the destinations would get. No plugin is needed and nothing is written. Without files, those beside the configuration run: " +
			"sluice.test.yaml for sluice.yaml, *.test.yaml of a directory.",
		RunE: func(cmd *cobra.Command, files []string) error {
			_, on, err := f.rehearsal(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if len(files) == 0 {
				if files = rehearsal.Beside(f.configPath); len(files) == 0 {
					return fmt.Errorf("there are no tests beside %s: write one, or name the files", f.configPath)
				}
			}
			results, problem := []rehearsal.Result{}, false
			began := time.Now()
			for _, name := range files {
				suite, err := rehearsal.Load(name)
				if ds, ok := errors.AsType[config.Diagnostics](err); ok {
					fmt.Fprintln(cmd.ErrOrStderr(), ds.Report())
					problem = true
					continue
				}
				if err != nil {
					return err
				}
				got := on.Run(cmd.Context(), suite)
				if update {
					changed, err := rehearsal.Update(suite, got)
					if err != nil {
						return err
					}
					if changed {
						fmt.Fprintf(cmd.ErrOrStderr(), "%s: updated\n", name)
						for _, p := range rehearsal.Problems(got) {
							fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s: expected from now on: %s\n", name, plain(p))
						}
					}
					if suite, err = rehearsal.Load(name); err != nil {
						return err
					}
					got = on.Run(cmd.Context(), suite)
				}
				results = append(results, got...)
			}
			if junit != "" {
				report, err := rehearsal.JUnit(results)
				if err == nil {
					err = os.WriteFile(junit, report, 0o644)
				}
				if err != nil {
					return fmt.Errorf("write the JUnit report: %w", err)
				}
			}
			failed := 0
			for _, r := range results {
				if !r.Passed() {
					failed++
				}
			}
			err = f.show(cmd.OutOrStdout(), results, func(w io.Writer) { printResults(w, results, failed, time.Since(began)) })
			if err == nil && (failed > 0 || problem) {
				err = errReported
			}
			return err
		},
	}
	cmd.Flags().StringVar(&junit, "junit", "", "also write the results to this file, in JUnit's form")
	cmd.Flags().BoolVar(&update, "update", false, "write into the files what the destinations get now")
	return cmd
}

func printResults(w io.Writer, results []rehearsal.Result, failed int, took time.Duration) {
	for _, r := range results {
		mark := "✓"
		if !r.Passed() {
			mark = "✗"
		}
		fmt.Fprintf(w, "%s %s: %s\n", mark, r.Suite, r.Test)
		for _, f := range r.Failures {
			fmt.Fprintf(w, "    %s\n", plain(f))
		}
	}
	fmt.Fprintf(w, "\n%s, %d failed, in %s\n", count(len(results), "test"), failed, took.Round(time.Millisecond))
}
