package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/sqlstate"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// setupError is a finding of the check.
type setupError struct{ code, text string }

func (e *setupError) Error() string { return e.text }

// states are those that mean something to the writer of tables. The others are as
// with any destination: see package sqlstate.
var states = map[string]sqlcore.FaultKind{
	"40001": sqlcore.Clash,   // serialization failure
	"40P01": sqlcore.Clash,   // deadlock
	"3F000": sqlcore.Stale,   // no such schema
	"42P01": sqlcore.Stale,   // no such table
	"42703": sqlcore.Stale,   // no such column
	"42704": sqlcore.Stale,   // no such type
	"42804": sqlcore.Stale,   // the column has another type
	"0A000": sqlcore.Refused, // not supported
	"2BP01": sqlcore.Refused, // something depends on it
	"54011": sqlcore.Refused, // too many columns
}

// kinds turn what a state means for records into what it means for the writer.
var kinds = map[destination.ResultKind]sqlcore.FaultKind{
	destination.Rejected:      sqlcore.Bad,
	destination.Dependency:    sqlcore.Orphan,
	destination.Misconfigured: sqlcore.Setup,
}

// Fault implements [sqlcore.Database].
func (d *database) Fault(err error) sqlcore.Fault {
	if e, ok := errors.AsType[*setupError](err); ok {
		return sqlcore.Fault{Kind: sqlcore.Setup, Code: e.code}
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		kind, known := states[e.Code]
		if !known {
			kind = kinds[sqlstate.Kind(e.Code)]
		}
		return sqlcore.Fault{Kind: kind, Code: e.Code}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sqlcore.Fault{Code: "CANCELLED"}
	}
	return sqlcore.Fault{Code: "CONNECTION"}
}
