package main

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// setupError is a finding of the check.
type setupError struct{ code, text string }

func (e *setupError) Error() string { return e.text }

// states says what SQLSTATEs mean: whole ones first, then classes, which are the
// first two characters. What is not listed may pass.
var states = []struct {
	prefix string
	kind   sqlcore.FaultKind
}{
	{"40001", sqlcore.Clash},  // serialization failure
	{"40P01", sqlcore.Clash},  // deadlock
	{"23503", sqlcore.Orphan}, // somebody's foreign key
	{"3F000", sqlcore.Stale},  // no such schema
	{"42P01", sqlcore.Stale},  // no such table
	{"42703", sqlcore.Stale},  // no such column
	{"42704", sqlcore.Stale},  // no such type
	{"42804", sqlcore.Stale},  // the column has another type
	{"0A000", sqlcore.Refused},
	{"2BP01", sqlcore.Refused}, // something depends on it
	{"54011", sqlcore.Refused}, // too many columns
	{"3D000", sqlcore.Setup},   // no such database
	{"22", sqlcore.Bad},
	{"23", sqlcore.Bad},
	{"54", sqlcore.Bad}, // too long for an index, too deep
	{"44", sqlcore.Bad}, // check option of a view
	{"P0", sqlcore.Bad}, // raised by somebody's trigger
	{"28", sqlcore.Setup},
	{"42", sqlcore.Setup},
}

// Fault implements [sqlcore.Database].
func (d *database) Fault(err error) sqlcore.Fault {
	if e, ok := errors.AsType[*setupError](err); ok {
		return sqlcore.Fault{Kind: sqlcore.Setup, Code: e.code}
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		for _, s := range states {
			if strings.HasPrefix(e.Code, s.prefix) {
				return sqlcore.Fault{Kind: s.kind, Code: e.Code}
			}
		}
		return sqlcore.Fault{Code: e.Code}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sqlcore.Fault{Code: "CANCELLED"}
	}
	return sqlcore.Fault{Code: "CONNECTION"}
}
