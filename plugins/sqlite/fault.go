package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// codes says what SQLite's result codes mean. What is not listed may pass.
var codes = map[int]struct {
	name string
	kind sqlcore.FaultKind
}{
	lib.SQLITE_BUSY:       {"SQLITE_BUSY", sqlcore.Passing},
	lib.SQLITE_LOCKED:     {"SQLITE_LOCKED", sqlcore.Passing},
	lib.SQLITE_FULL:       {"SQLITE_FULL", sqlcore.Passing},
	lib.SQLITE_IOERR:      {"SQLITE_IOERR", sqlcore.Passing},
	lib.SQLITE_NOMEM:      {"SQLITE_NOMEM", sqlcore.Passing},
	lib.SQLITE_SCHEMA:     {"SQLITE_SCHEMA", sqlcore.Stale},
	lib.SQLITE_CONSTRAINT: {"SQLITE_CONSTRAINT", sqlcore.Bad},
	lib.SQLITE_TOOBIG:     {"SQLITE_TOOBIG", sqlcore.Bad},
	lib.SQLITE_MISMATCH:   {"SQLITE_MISMATCH", sqlcore.Bad},
	lib.SQLITE_CANTOPEN:   {"SQLITE_CANTOPEN", sqlcore.Setup},
	lib.SQLITE_READONLY:   {"SQLITE_READONLY", sqlcore.Setup},
	lib.SQLITE_PERM:       {"SQLITE_PERM", sqlcore.Setup},
	lib.SQLITE_AUTH:       {"SQLITE_AUTH", sqlcore.Setup},
	lib.SQLITE_NOTADB:     {"SQLITE_NOTADB", sqlcore.Setup},
	lib.SQLITE_CORRUPT:    {"SQLITE_CORRUPT", sqlcore.Setup},
}

// Fault implements [sqlcore.Database].
func (d *database) Fault(err error) sqlcore.Fault {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sqlcore.Fault{Code: "CANCELLED"}
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return sqlcore.Fault{Kind: sqlcore.Setup, Code: "DIRECTORY"}
	}
	e, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return sqlcore.Fault{Code: "SQLITE"}
	}
	if e.Code() == lib.SQLITE_CONSTRAINT_FOREIGNKEY {
		return sqlcore.Fault{Kind: sqlcore.Orphan, Code: "SQLITE_CONSTRAINT_FOREIGNKEY"}
	}
	if c, ok := codes[e.Code()&0xff]; ok { // the rest is detail
		return sqlcore.Fault{Kind: c.kind, Code: c.name}
	}
	return sqlcore.Fault{Kind: generic(err), Code: "SQLITE_ERROR"}
}

// generic reads the text of an error that has no code of its own.
func generic(err error) sqlcore.FaultKind {
	if _, ok := errors.AsType[*sqlcore.AlterError](err); ok {
		return sqlcore.Refused
	}
	text := err.Error()
	for _, s := range []string{"no such table", "no such column", "has no column named"} {
		if strings.Contains(text, s) {
			return sqlcore.Stale
		}
	}
	if strings.Contains(text, "ON CONFLICT clause does not match") {
		return sqlcore.Setup
	}
	return sqlcore.Passing
}
