package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
)

func newReloadCommand(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Have the running server take over its changed configuration",
		Long: "Have the running server take over its changed configuration. The server reads the files that it was started with and " +
			"checks them whole; if there is any problem, nothing changes and it is reported here.",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.reloadClient()
			if err != nil {
				return err
			}
			out, err := c.Reload(cmd.Context())
			if err != nil {
				return err
			}
			err = f.show(cmd.OutOrStdout(), out, func(w io.Writer) { printReload(w, out) })
			if err == nil && out.Error != "" {
				err = errReported
			}
			return err
		},
	}
}

func printReload(w io.Writer, out admin.Reload) {
	if out.Error != "" {
		var problems config.Diagnostics
		if json.Unmarshal(out.Problems, &problems) == nil && len(problems) > 0 {
			fmt.Fprintln(w, problems.Report())
		} else {
			fmt.Fprintln(w, plain(out.Error))
		}
		fmt.Fprintf(w, "refused: revision %s stays in force\n", out.Revision)
		return
	}
	if !out.Applied {
		fmt.Fprintf(w, "nothing to do: revision %s is in force\n", out.Revision)
		return
	}
	fmt.Fprintf(w, "revision %s is in force\n", out.Revision)
	for _, part := range []struct {
		what  string
		names []string
	}{{"added", out.Added}, {"restarted", out.Changed}, {"removed", out.Removed}} {
		if len(part.names) > 0 {
			fmt.Fprintf(w, "destinations %s: %s\n", part.what, strings.Join(part.names, ", "))
		}
	}
}
