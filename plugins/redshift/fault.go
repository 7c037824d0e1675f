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
	{"40001", sqlcore.Clash},
	{"40P01", sqlcore.Clash},
	{"42P07", sqlcore.Clash}, // somebody made the table first
	{"42701", sqlcore.Clash}, // somebody added the column first
	{"3F000", sqlcore.Stale},
	{"42P01", sqlcore.Stale},
	{"42703", sqlcore.Stale},
	{"42804", sqlcore.Stale},
	{"0A000", sqlcore.Refused},
	{"2BP01", sqlcore.Refused}, // a view uses the column
	{"54011", sqlcore.Refused}, // too many columns
	{"3D000", sqlcore.Setup},
	{"22", sqlcore.Bad},
	{"23", sqlcore.Bad},
	{"28", sqlcore.Setup},
	{"42", sqlcore.Setup},
}

// internal says what errors mean that Redshift gives the state XX000, by the
// words in them.
var internal = []struct {
	words string
	fault sqlcore.Fault
}{
	{"serializable isolation violation", sqlcore.Fault{Kind: sqlcore.Clash, Code: "1023"}},
	{"invalid digit", sqlcore.Fault{Kind: sqlcore.Bad, Code: "1207"}},
	{"value too long", sqlcore.Fault{Kind: sqlcore.Bad, Code: "22001"}},
	{"overflow", sqlcore.Fault{Kind: sqlcore.Bad, Code: "22003"}},
}

// Fault implements [sqlcore.Database].
func (d *database) Fault(err error) sqlcore.Fault {
	if e, ok := errors.AsType[*setupError](err); ok {
		return sqlcore.Fault{Kind: sqlcore.Setup, Code: e.code}
	}
	if _, ok := errors.AsType[*tooLong](err); ok {
		return sqlcore.Fault{Kind: sqlcore.Bad, Code: "22001"}
	}
	if _, ok := errors.AsType[raceError](err); ok {
		return sqlcore.Fault{Kind: sqlcore.Clash, Code: "RACE"}
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		if e.Code == "XX000" {
			for _, i := range internal {
				if strings.Contains(strings.ToLower(e.Message+" "+e.Detail), i.words) {
					return i.fault
				}
			}
		}
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
