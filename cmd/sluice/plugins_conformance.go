package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/plugintest"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
)

func newPluginsTestCommand(f *shared) *cobra.Command {
	var only []string
	cmd := &cobra.Command{
		Use: "test BINARY [-c conformance.yaml]", Short: "Run the conformance cases over a plugin's binary",
		Long: "Run the conformance cases over a plugin's binary, in whatever language it was written. The file of -c, conformance.yaml " +
			"unless it is named, has the plugin's settings, and may say how to read back what the destination holds and how to make the " +
			"system behind it misbehave; without that, the report says what was not seen. The plugin writes to wherever the settings say.",
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "conformance.yaml"
			if cmd.Flags().Changed("config") {
				path = f.configPath
			}
			file, err := plugintest.Load(path)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%w (name the file of the test with -c)", err)
			}
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			group := ""
			report, err := plugintest.Run(cmd.Context(), args[0], file, only, func(o conformance.Outcome) {
				if f.output == "json" {
					return
				}
				if o.Group != group {
					group = o.Group
					fmt.Fprintf(w, "%s\n", group)
				}
				printOutcome(w, o)
			})
			if err != nil {
				return err
			}
			err = f.show(w, report, func(w io.Writer) { printSummary(w, report) })
			if err == nil && report.Count(conformance.Failed) > 0 {
				err = errReported
			}
			return err
		},
	}
	cmd.Flags().StringSliceVar(&only, "only", nil, "run these cases or groups only")
	return cmd
}

// marks are what a case begins with in the list.
var marks = map[conformance.Result]string{
	conformance.Passed: "✓", conformance.Failed: "✗", conformance.Lacks: "-", conformance.NotRun: "-", conformance.Unobserved: "?",
}

func printOutcome(w io.Writer, o conformance.Outcome) {
	fmt.Fprintf(w, "  %s %-33s %s\n", marks[o.Result], o.Case, o.Title)
	note := ""
	switch {
	case o.Result == conformance.Unobserved:
		note = "not observed: what the destination says is right, what it holds was not seen"
	case o.Result == conformance.Passed || o.Note == "":
		note = o.Note
	default:
		note = string(o.Result) + ": " + o.Note
	}
	for _, line := range append([]string{note}, o.Problems...) {
		for text := range strings.Lines(plain(line)) {
			fmt.Fprintf(w, "    %s\n", strings.TrimRight(text, "\n"))
		}
	}
}

func printSummary(w io.Writer, r *conformance.Report) {
	var takes []string
	for _, c := range r.Capabilities {
		takes = append(takes, string(c))
	}
	fmt.Fprintf(w, "\n%s %s (%s): %s, %d passed, %d failed, %d not observed, %d lacking, %d not run\n",
		r.Plugin, r.Version, strings.Join(takes, ", "), count(len(r.Cases), "case"),
		r.Count(conformance.Passed), r.Count(conformance.Failed), r.Count(conformance.Unobserved),
		r.Count(conformance.Lacks), r.Count(conformance.NotRun))
}
