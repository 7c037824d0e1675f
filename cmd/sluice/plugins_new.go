package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/scaffold"
)

func newPluginsNewCommand(f *shared) *cobra.Command {
	o := scaffold.Options{Version: version}
	cmd := &cobra.Command{
		Use: "new NAME", Short: "Write a new plugin: a module of its own that builds and passes its tests",
		Long: "Write a new plugin: a module of its own with a destination that works, its tests, a conformance run, a route and a CI file. " +
			"It needs Go. It is built with the release of this program; within a folder of Sluice's source, or with --sluice, with that source.",
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			o.Dir = cmp.Or(o.Dir, "sluice-destination-"+o.Name)
			o.Module = cmp.Or(o.Module, "sluice-destination-"+o.Name)
			if here, err := os.Getwd(); err == nil && o.Source == "" {
				o.Source = scaffold.FindSource(here)
			}
			files, err := scaffold.Write(o)
			if err != nil {
				return fmt.Errorf("new plugin: %w", err)
			}
			tidy := exec.CommandContext(cmd.Context(), "go", "mod", "tidy")
			tidy.Dir = o.Dir
			if out, err := tidy.CombinedOutput(); err != nil {
				return fmt.Errorf("new plugin: %s is written, but its dependencies are not: go mod tidy: %w\n%s", o.Dir, err, out)
			}
			written := struct {
				Dir   string   `json:"dir"`
				Files []string `json:"files"`
			}{o.Dir, files}
			return f.show(cmd.OutOrStdout(), written, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s\n\nnext: cd %s && make test build\n", o.Dir, count(len(files), "file"), o.Dir)
			})
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "folder to write to (default sluice-destination-NAME)")
	cmd.Flags().StringVar(&o.Module, "module", "", "path of the new module (default sluice-destination-NAME)")
	cmd.Flags().StringVar(&o.Source, "sluice", "", "folder with Sluice's source to build with, in the place of a release")
	return cmd
}
