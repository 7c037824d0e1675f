package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
)

// The checks of the place where a ledger lies. Stored in scripts; never rename.
const (
	checkRights     = "rights"
	checkFileSystem = "file_system"
	checkDisk       = "disk"
)

// Doctor looks at the ledger of a configuration and at the place where it lies. A
// ledger of files must not be in use. A finding is no error.
func Doctor(ctx context.Context, c *config.Config, log *slog.Logger, report func(ledger.Finding)) (err error) {
	if c.Ledger.Postgres != nil {
		checker, err := postgres.OpenChecker(ctx, postgresOptions(c, log))
		if err != nil {
			return err
		}
		return errors.Join(checker.Check(ctx, report), checker.Close())
	}
	checker, err := sqlite.OpenChecker(ctx, c.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (is data_dir the right one? sluice serve makes the ledger)", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, checker.Close()) }()
	if err := rights(c.DataDir, report); err != nil {
		return err
	}
	if err := place(c.DataDir, report); err != nil {
		return err
	}
	return checker.Check(ctx, report)
}

// rights finds what others may read or write: it holds what records say.
func rights(dir string, report func(ledger.Finding)) error {
	return filepath.WalkDir(filepath.Join(dir, "ledger"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // SQLite removes its files when they are not used
		}
		if err != nil {
			return err
		}
		// A folder that only its owner may enter guards what is in it.
		if d.IsDir() && info.Mode().Perm()&0o077 == 0 {
			return fs.SkipDir
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			report(ledger.Finding{
				Check: checkRights, Object: path, Problem: fmt.Sprintf("others may use it (mode %04o)", mode),
				Advice: fmt.Sprintf("chmod -R go= %s", filepath.Join(dir, "ledger")),
			})
		}
		return nil
	})
}

// lowDisk is what should be free: enough for the events of a long night.
const lowDisk = 1 << 30

func judgeDisk(dir string, free uint64, network string, report func(ledger.Finding)) {
	if network != "" {
		report(ledger.Finding{
			Check: checkFileSystem, Object: dir, Problem: "it is on a network file system (" + network + "), where SQLite's locks do not hold",
			Advice: "move the data directory to a local disk while sluice is stopped",
		})
	}
	if free < lowDisk {
		report(ledger.Finding{
			Check: checkDisk, Object: dir, Problem: fmt.Sprintf("%d MiB are free", free>>20),
			Advice: "free space: with a full disk webhooks are refused; a shorter ledger.retention needs less",
		})
	}
}
