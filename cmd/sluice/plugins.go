package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host"
)

// pluginRow is a plugin as `plugins list` shows it.
type pluginRow struct {
	Name         string                   `json:"name"`
	Version      string                   `json:"version"`
	Capabilities []destination.Capability `json:"capabilities"`
	Path         string                   `json:"path"`
	SHA256       string                   `json:"sha256"`
	Lock         string                   `json:"lock"`
	Problem      string                   `json:"problem,omitempty"`
}

func newPluginsCommand(f *shared) *cobra.Command {
	cmd := &cobra.Command{Use: "plugins", Short: "Look at the destination plugins on this machine, test and write them"}
	cmd.AddCommand(newPluginsTestCommand(f), newPluginsNewCommand(f))
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the plugins in the plugin directories", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dirs, err := f.pluginDirs(cmd)
			if err != nil {
				return err
			}
			lock, err := host.ReadLock(app.LockPath(f.configPath))
			if err != nil {
				return err
			}
			found, problem := host.Discover(dirs) // the list is good even with a problem
			rows := []pluginRow{}
			broken := false
			for _, p := range found {
				r := pluginRow{Name: p.Name, Path: p.Path, SHA256: p.SHA256, Lock: lockState(lock, p)}
				if d, err := host.Inspect(cmd.Context(), p.Path); err != nil {
					r.Problem, broken = err.Error(), true
				} else {
					r.Version, r.Capabilities = d.Version, d.Capabilities
				}
				rows = append(rows, r)
			}
			err = f.show(cmd.OutOrStdout(), rows, func(w io.Writer) {
				if len(rows) == 0 {
					fmt.Fprintf(w, "no plugins (%s…) in %s\n", host.Prefix, strings.Join(dirs, ", "))
					return
				}
				table(w, "PLUGIN VERSION CAPABILITIES SHA256 LOCK PATH PROBLEM", func(row func(...any)) {
					for _, r := range rows {
						row(r.Name, r.Version, strings.Trim(fmt.Sprint(r.Capabilities), "[]"), r.SHA256[:12]+"…", r.Lock, r.Path, r.Problem)
					}
				})
			})
			if err = errors.Join(err, problem); err == nil && broken {
				err = errReported
			}
			return err
		},
	})
	cmd.AddCommand(newPluginsLockCommand(f))
	return cmd
}

// pluginDirs works without a configuration too: plugins are there before it is.
func (f *shared) pluginDirs(cmd *cobra.Command) ([]string, error) {
	file, err := f.load(cmd.ErrOrStderr())
	if errors.Is(err, fs.ErrNotExist) && !cmd.Flags().Changed("config") {
		return app.PluginDirs(new(config.Config)), nil
	}
	if err != nil {
		return nil, err
	}
	return app.PluginDirs(file.Config), nil
}
