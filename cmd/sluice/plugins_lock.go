package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/plugins/host"
)

// lockRow is a plugin as `plugins lock` shows it.
type lockRow struct {
	host.Locked
	Change string `json:"change"` // added, changed or unchanged
}

func newPluginsLockCommand(f *shared) *cobra.Command {
	return &cobra.Command{
		Use: "lock", Short: "Write the lock file: serve starts only the plugins that are there now", Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := f.load(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			path := app.LockPath(file.Name)
			before, err := host.ReadLock(path)
			if err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%v\n", err) // it is written anew
			}
			used := make(map[string]struct{})
			for _, d := range file.Config.Destinations {
				used[d.Plugin] = struct{}{}
			}
			lock, rows, err := lockAll(cmd.Context(), app.PluginDirs(file.Config), slices.Sorted(maps.Keys(used)), before)
			if err != nil {
				return err
			}
			if err := lock.Write(path); err != nil {
				return err
			}
			return f.show(cmd.OutOrStdout(), rows, func(w io.Writer) {
				table(w, "PLUGIN VERSION PROTOCOL SHA256 CHANGE", func(row func(...any)) {
					for _, r := range rows {
						row(r.Name, r.Version, r.Protocol, r.SHA256[:12]+"…", r.Change)
					}
				})
				fmt.Fprintf(w, "wrote %s\n", path)
			})
		},
	}
}

// lockAll identifies the plugins; nothing is locked if one cannot be.
func lockAll(ctx context.Context, dirs, names []string, before *host.Lock) (*host.Lock, []lockRow, error) {
	lock := &host.Lock{Plugins: []host.Locked{}}
	rows := []lockRow{}
	for _, name := range names {
		found, err := host.Find(dirs, name)
		if err != nil {
			return nil, nil, err
		}
		got, err := host.Identify(ctx, found)
		if err != nil {
			return nil, nil, err
		}
		change := "unchanged"
		switch state := lockState(before, found); state {
		case lockDiffers:
			change = "changed"
		case lockMissing, lockNone:
			change = "added"
		}
		lock.Plugins = append(lock.Plugins, got)
		rows = append(rows, lockRow{got, change})
	}
	return lock, rows, nil
}

// The states of a plugin towards the lock file. They appear in JSON; never rename.
const (
	lockNone    = "no lock file"
	lockOK      = "locked"
	lockMissing = "not locked"
	lockDiffers = "differs"
)

func lockState(lock *host.Lock, found host.Found) string {
	if lock == nil {
		return lockNone
	}
	if lock.Check(found) == nil {
		return lockOK
	}
	if slices.ContainsFunc(lock.Plugins, func(p host.Locked) bool { return p.Name == found.Name }) {
		return lockDiffers
	}
	return lockMissing
}
