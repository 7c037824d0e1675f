package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluicehq/sluice/internal/ledger"
)

// The conditions of PostgreSQL that are told apart.
const (
	stateSerialization   = "40001"
	stateDeadlock        = "40P01"
	stateDiskFull        = "53100"
	stateTooManyClients  = "53300"
	stateReadOnly        = "25006"
	stateNoRight         = "42501"
	stateLockTimeout     = "55P03"
	stateStoodStill      = "25P03" // idle_in_transaction_session_timeout: the session is gone
	stateNoDatabase      = "3D000"
	stateWrongPassword   = "28P01"
	stateNoAccess        = "28000"
	stateUndefinedTable  = "42P01"
	stateUndefinedColumn = "42703"
)

// hints say what to do.
var hints = map[string]string{
	stateTooManyClients:  "raise max_connections of the server, or lower ledger.postgres.max_connections",
	stateReadOnly:        "the server takes no writes: name the primary in ledger.postgres.url, and free space if it stopped writing for lack of it",
	stateNoRight:         "give the user of ledger.postgres.url the rights on its schema that docs/operating.md lists",
	stateLockTimeout:     "somebody holds a lock on the ledger's tables: look at pg_stat_activity",
	stateNoDatabase:      "create the database that ledger.postgres.url names",
	stateWrongPassword:   "check the user and the password in ledger.postgres.url",
	stateNoAccess:        "let the user of ledger.postgres.url in (pg_hba.conf)",
	stateUndefinedTable:  "the ledger's tables were changed or removed: restore them from a backup",
	stateUndefinedColumn: "the ledger's tables were changed: restore them from a backup",
}

// explain adds what was being done, and what to do where the cause tells.
func explain(err error, operation string, args ...any) error {
	if err == nil {
		return nil
	}
	operation = fmt.Sprintf(operation, args...)
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("ledger: %s: %w", operation, err)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		if e.Code == stateDiskFull {
			return fmt.Errorf("ledger: %s: %w: %w (free space on the disk of the PostgreSQL server)", operation, ledger.ErrFull, err)
		}
		if hint := hints[e.Code]; hint != "" {
			return fmt.Errorf("ledger: %s: %w (%s)", operation, err, hint)
		}
	}
	if isLost(err) {
		return fmt.Errorf("ledger: %s: PostgreSQL does not answer: %w (check that it runs and can be reached from here; sluice tries again by itself)", operation, err)
	}
	return fmt.Errorf("ledger: %s: %w", operation, err)
}

// unopened explains an error of a ledger that is not open yet: nothing tries
// again by itself.
func unopened(err error, operation string) error {
	if isLost(err) {
		return fmt.Errorf("ledger: %s: PostgreSQL does not answer: %w (check that it runs and can be reached from here, then try again)", operation, err)
	}
	return explain(err, operation)
}

// isLost reports whether there is, or was in the end, no connection.
func isLost(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		// Connection exceptions, a server that starts or stops, and a session that
		// the server has ended.
		return len(e.Code) == 5 && (e.Code[:2] == "08" || e.Code[:3] == "57P" || e.Code == stateStoodStill)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	_, network := errors.AsType[net.Error](err)
	return network || pgconn.SafeToRetry(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// isConflict reports whether the same transaction may succeed when it is made
// again.
func isConflict(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == stateSerialization || e.Code == stateDeadlock)
}
