package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/ledger"
)

func newDoctorCommand(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check the ledger, and say what to do about what is wrong",
		Long: "Check the ledger: the files themselves, Sluice's own rules for what is in them, and the place where they lie. " +
			"Files must not be in use by a server; a ledger in PostgreSQL may be. It changes nothing. The exit status is 1 when something is wrong. A large ledger takes minutes: every row is looked at.",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := f.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			findings := []ledger.Finding{} // an empty list in JSON, not null
			err = app.Doctor(cmd.Context(), file.Config, newLogger(file.Config.Log), func(fi ledger.Finding) { findings = append(findings, fi) })
			if err != nil {
				return err
			}
			// What is wrong is what this command was asked for: standard output.
			err = f.show(cmd.OutOrStdout(), findings, func(w io.Writer) { printFindings(w, ledgerName(file.Config), findings) })
			if err == nil && len(findings) > 0 {
				err = errReported
			}
			return err
		},
	}
}

func ledgerName(c *config.Config) string {
	if c.Ledger.Postgres != nil {
		return "ledger in PostgreSQL"
	}
	return c.DataDir
}

// printFindings says once what to do about findings that follow each other.
func printFindings(w io.Writer, name string, findings []ledger.Finding) {
	if len(findings) == 0 {
		fmt.Fprintf(w, "%s: ok\n", name)
		return
	}
	for i, fi := range findings {
		fmt.Fprintf(w, "%s: %s: %s\n", fi.Check, oneLine(fi.Object), oneLine(fi.Problem))
		if i == len(findings)-1 || findings[i+1].Advice != fi.Advice {
			fmt.Fprintf(w, "  do: %s\n", fi.Advice)
		}
	}
	fmt.Fprintf(w, "%s: %s\n", name, count(len(findings), "finding"))
}
