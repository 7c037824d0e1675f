package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
)

// errReported is returned when the problem was printed already.
var errReported = errors.New("reported")

// usageError is a wrong use of the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() + " (see sluice help)" }

func (e *usageError) Unwrap() error { return e.err }

// shared are the flags that every sub-command knows.
type shared struct {
	configPath string
	output     string
}

func newRootCommand() *cobra.Command {
	var f shared
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "Bring every webhook, in the right final state, to your CRM, warehouse, database or service",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVarP(&f.configPath, "config", "c", "sluice.yaml", "configuration file")
	root.PersistentFlags().StringVarP(&f.output, "output", "o", "text", "output format: text or json")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if f.output != "text" && f.output != "json" {
			return &usageError{fmt.Errorf("-o must be text or json, not %q", f.output)}
		}
		return nil
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		newServeCommand(&f), newValidateCommand(&f), newSetupCommand(&f),
		newEventsCommand(&f), newRecordsCommand(&f), newDeadLettersCommand(&f),
		newDestinationsCommand(&f), newPluginsCommand(&f), newStatusCommand(&f),
		newConfigCommand(&f), newSandboxCommand(), newDemoCommand(), newVersionCommand(&f),
	)
	return root
}

// load reads the configuration and prints its problems, if it has any.
func (f *shared) load(stderr io.Writer) (*config.File, error) {
	file, err := config.Load(f.configPath, os.LookupEnv)
	if err != nil {
		if ds, ok := errors.AsType[config.Diagnostics](err); ok {
			fmt.Fprintln(stderr, ds.Error())
			return nil, errReported
		}
		return nil, err
	}
	return file, nil
}

// client returns a client for the running server of this configuration.
func (f *shared) client(stderr io.Writer) (*admin.Client, error) {
	file, err := f.load(stderr)
	if err != nil {
		return nil, err
	}
	return admin.NewClient(file.Config.Server.Admin, file.Config.Server.AdminToken), nil
}

// exactArgs is cobra.ExactArgs with an error that counts as wrong use.
func exactArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return &usageError{fmt.Errorf("%s takes %d arguments, not %d", cmd.CommandPath(), n, len(args))}
		}
		return nil
	}
}
