package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/app"
)

func newSetupCommand(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "setup", Short: "Prepare a Temporal cluster: register Sluice's search attributes in the namespace",
		Long: "Prepare a Temporal cluster: register Sluice's search attributes in the configured namespace. It may be run again. " +
			"The embedded Temporal needs no set-up.",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := f.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			t := file.Config.Temporal
			out := struct {
				Namespace  string   `json:"namespace"`
				Registered []string `json:"registered"`
			}{Namespace: t.Namespace}
			if t.Address == "" {
				return f.show(cmd.OutOrStdout(), out, func(w io.Writer) {
					fmt.Fprintln(w, "nothing to do: the embedded Temporal sets itself up (there is no temporal.address)")
				})
			}
			out.Registered, err = app.SetupTemporal(cmd.Context(), file.Config, newLogger(file.Config.Log), 30*time.Second)
			if err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), out, func(w io.Writer) {
				if len(out.Registered) == 0 {
					fmt.Fprintf(w, "namespace %s: nothing to do\n", t.Namespace)
					return
				}
				fmt.Fprintf(w, "namespace %s: registered %s\n", t.Namespace, strings.Join(out.Registered, ", "))
			})
		},
	}
}
