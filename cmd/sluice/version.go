package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

// version is set by the linker; see the Makefile.
var version = "devel"

func newVersionCommand(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
			}{version, runtime.Version()}
			return f.show(cmd.OutOrStdout(), v, func(w io.Writer) { fmt.Fprintf(w, "sluice %s (%s)\n", v.Version, v.Go) })
		},
	}
}
