package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
)

// errReported is returned when the problem was printed already.
var errReported = errors.New("reported")

// shared are the flags that every sub-command knows.
type shared struct {
	configPath string
	output     string
	allowExec  bool
}

func newRootCommand() *cobra.Command {
	var f shared
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "Bring every webhook, in the right final state, to your CRM, warehouse, database or service",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVarP(&f.configPath, "config", "c", "sluice.yaml", "configuration: a file, or a directory of files")
	root.PersistentFlags().StringVarP(&f.output, "output", "o", "text", "output format: text or json; sarif with validate")
	root.PersistentFlags().BoolVar(&f.allowExec, "allow-exec", false, "let ${exec:…} in the configuration run programs")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case f.output == "text" || f.output == "json":
		case f.output == "sarif" && cmd.Name() == "validate":
		case f.output == "sarif":
			return wrongUse(cmd, "-o sarif is for validate only")
		default:
			return wrongUse(cmd, "-o must be text or json, not %q", f.output)
		}
		return nil
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return wrongUse(cmd, "%w", err)
	})
	root.SetHelpCommand(newHelpCommand())
	root.AddCommand(
		newServeCommand(&f), newValidateCommand(&f), newSetupCommand(&f),
		newEventsCommand(&f), newRecordsCommand(&f), newDeadLettersCommand(&f),
		newDestinationsCommand(&f), newPluginsCommand(&f), newStatusCommand(&f), newDoctorCommand(&f), newLedgerCommand(&f),
		newConfigCommand(&f), newReloadCommand(&f), newRoutesCommand(&f), newPacksCommand(&f), newTestCommand(&f),
		newSandboxCommand(), newDemoCommand(), newVersionCommand(&f),
	)
	root.InitDefaultCompletionCmd()
	group(root)
	return root
}

// load reads the configuration and prints its problems, if it has any.
func (f *shared) load(stderr io.Writer) (*config.File, error) {
	file, err := f.read()
	if err != nil {
		if ds, ok := errors.AsType[config.Diagnostics](err); ok {
			fmt.Fprintln(stderr, ds.Report())
			return nil, errReported
		}
		return nil, err
	}
	return file, nil
}

// read returns a file with its problems, or an error if there is none to speak of.
func (f *shared) read() (*config.File, error) {
	file, err := f.loader().Load(f.configPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w (name the configuration with -c)", err)
	}
	return file, err
}

func (f *shared) loader() config.Loader {
	return config.Loader{Env: os.LookupEnv, AllowExec: f.allowExec}
}

// check reads the configuration and has the plugins of the part look at it too,
// so that every problem is found in one run.
func (f *shared) check(ctx context.Context, part app.Part) (*config.File, config.Diagnostics, error) {
	file, err := f.read()
	if file == nil {
		return nil, nil, err
	}
	problems := append(file.Diagnostics, app.CheckPlugins(ctx, file, part)...)
	problems.Sort()
	return file, problems, nil
}

// client returns a client for the running server of this configuration.
func (f *shared) client(stderr io.Writer) (*admin.Client, error) {
	file, err := f.load(stderr)
	if err != nil {
		return nil, err
	}
	return clientOf(file)
}

// reloadClient is client for a configuration that may have errors: the server is
// asked to judge it, so that it can be loud about them.
func (f *shared) reloadClient() (*admin.Client, error) {
	file, err := f.read()
	if file == nil {
		return nil, err
	}
	return clientOf(file)
}

func clientOf(file *config.File) (*admin.Client, error) {
	address := file.Config.Server.Admin
	if _, port, err := net.SplitHostPort(address); err == nil && port == "0" {
		return nil, fmt.Errorf("server.admin is %s, a port that is chosen at each start: set a fixed one to ask the running server", address)
	}
	return admin.NewClient(address, file.Config.Server.AdminToken), nil
}
