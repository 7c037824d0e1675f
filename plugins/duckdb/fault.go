package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// faults says what DuckDB's types of errors mean. What is not listed may pass.
var faults = map[duckdb.ErrorType]sqlcore.Fault{
	duckdb.ErrorTypeTransaction:          {Kind: sqlcore.Clash, Code: "TRANSACTION"},
	duckdb.ErrorTypeConstraint:           {Kind: sqlcore.Bad, Code: "CONSTRAINT"},
	duckdb.ErrorTypeConversion:           {Kind: sqlcore.Bad, Code: "CONVERSION"},
	duckdb.ErrorTypeOutOfRange:           {Kind: sqlcore.Bad, Code: "OUT_OF_RANGE"},
	duckdb.ErrorTypeMismatchType:         {Kind: sqlcore.Bad, Code: "MISMATCH_TYPE"},
	duckdb.ErrorTypeInvalidInput:         {Kind: sqlcore.Bad, Code: "INVALID_INPUT"},
	duckdb.ErrorTypeObjectSize:           {Kind: sqlcore.Bad, Code: "OBJECT_SIZE"},
	duckdb.ErrorTypeDependency:           {Kind: sqlcore.Refused, Code: "DEPENDENCY"},
	duckdb.ErrorTypePermission:           {Kind: sqlcore.Setup, Code: "PERMISSION"},
	duckdb.ErrorTypeInvalidConfiguration: {Kind: sqlcore.Setup, Code: "CONFIGURATION"},
	duckdb.ErrorTypeSettings:             {Kind: sqlcore.Setup, Code: "CONFIGURATION"},
	duckdb.ErrorTypeCatalog:              {Kind: sqlcore.Stale, Code: "CATALOG"},
	duckdb.ErrorTypeBinder:               {Kind: sqlcore.Stale, Code: "BINDER"},
	duckdb.ErrorTypeIO:                   {Code: "IO"},
	duckdb.ErrorTypeOutOfMemory:          {Code: "OUT_OF_MEMORY"},
	duckdb.ErrorTypeInterrupt:            {Code: "CANCELLED"},
	duckdb.ErrorTypeFatal:                {Code: "FATAL"},
}

// Fault implements [sqlcore.Database].
func (d *database) Fault(err error) sqlcore.Fault {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sqlcore.Fault{Code: "CANCELLED"}
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return sqlcore.Fault{Kind: sqlcore.Setup, Code: "DIRECTORY"}
	}
	e, ok := errors.AsType[*duckdb.Error](err)
	if !ok {
		return sqlcore.Fault{Code: "DUCKDB"}
	}
	fault, ok := faults[e.Type]
	if !ok {
		return sqlcore.Fault{Code: "DUCKDB"}
	}
	has := func(text string) bool { return strings.Contains(e.Msg, text) }
	switch _, alters := errors.AsType[*sqlcore.AlterError](err); {
	case alters && fault.Kind == sqlcore.Stale:
		fault.Kind = sqlcore.Refused
	case e.Type == duckdb.ErrorTypeConstraint && has("does not exist in the referenced table"):
		fault = sqlcore.Fault{Kind: sqlcore.Orphan, Code: "FOREIGN_KEY"}
	case e.Type == duckdb.ErrorTypeBinder && has("conflict target"):
		fault = sqlcore.Fault{Kind: sqlcore.Setup, Code: "NO_PRIMARY_KEY"}
	case e.Type == duckdb.ErrorTypeIO && has("Could not set lock"):
		fault.Code = "FILE_IN_USE"
	case e.Type == duckdb.ErrorTypeIO && (has("Permission denied") || has("not a valid DuckDB database") || has("Is a directory") || has("Read-only file system")):
		fault.Kind = sqlcore.Setup
	}
	return fault
}
