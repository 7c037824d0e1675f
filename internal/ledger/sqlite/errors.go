package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/internal/ledger"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// explain adds what was being done, and what to do where the cause tells.
func explain(err error, operation string, args ...any) error {
	if err == nil {
		return nil
	}
	operation = fmt.Sprintf(operation, args...)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("ledger: %s: %w", operation, err)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			return fmt.Errorf("ledger: %s: %w: %w (free space on the disk of the data directory)", operation, ledger.ErrFull, err)
		case sqlite3.SQLITE_IOERR:
			return fmt.Errorf("ledger: %s: %w (check the disk of the data directory)", operation, err)
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return fmt.Errorf("ledger: %s: %w (stop sluice and restore the data directory from a backup)", operation, err)
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
			return fmt.Errorf("ledger: %s: %w (check the owner and the rights of the data directory)", operation, err)
		}
	}
	return fmt.Errorf("ledger: %s: %w", operation, err)
}
