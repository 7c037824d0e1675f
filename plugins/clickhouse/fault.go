package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// codes says what ClickHouse's error codes mean. What is not listed may pass.
var codes = map[int32]sqlcore.FaultKind{
	10: sqlcore.Stale, // no such column in the block
	16: sqlcore.Stale, // no such column in the table
	47: sqlcore.Stale, // no such identifier
	60: sqlcore.Stale, // no such table

	6:   sqlcore.Bad, // text that is not of the type
	27:  sqlcore.Bad,
	32:  sqlcore.Bad, // text that ends too early
	36:  sqlcore.Bad, // argument
	38:  sqlcore.Bad, // date
	41:  sqlcore.Bad, // date and time
	43:  sqlcore.Bad, // type of an argument
	53:  sqlcore.Bad, // type
	69:  sqlcore.Bad, // out of bounds
	70:  sqlcore.Bad, // no conversion
	72:  sqlcore.Bad, // number
	131: sqlcore.Bad, // too large
	349: sqlcore.Bad, // null where there must be none
	395: sqlcore.Bad, // raised by somebody's expression
	407: sqlcore.Bad, // out of the range of a decimal
	469: sqlcore.Bad, // constraint
	691: sqlcore.Bad, // element of an enumeration

	81:  sqlcore.Setup, // no such database
	164: sqlcore.Setup, // read-only user
	192: sqlcore.Setup, // no such user
	193: sqlcore.Setup, // password
	194: sqlcore.Setup, // no password
	195: sqlcore.Setup, // address is not allowed
	291: sqlcore.Setup, // no right to the database
	392: sqlcore.Setup, // query is not allowed
	497: sqlcore.Setup, // no right
	516: sqlcore.Setup, // user or password
}

// duplicateColumn are codes of an ADD COLUMN that another process was faster with.
var duplicateColumn = map[int32]bool{15: true, 44: true}

// refusals are codes of an ALTER TABLE that are due to the column.
var refusals = map[int32]bool{42: true, 44: true, 47: true, 48: true, 352: true, 420: true, 524: true}

// Fault implements [sqlcore.Database].
func (d *database) Fault(err error) sqlcore.Fault {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sqlcore.Fault{Code: "CANCELLED"}
	}
	e, ok := errors.AsType[*clickhouse.Exception](err)
	if !ok {
		return sqlcore.Fault{Code: "CONNECTION"}
	}
	fault := sqlcore.Fault{Kind: codes[e.Code], Code: strconv.Itoa(int(e.Code))}
	if alter, ok := errors.AsType[*sqlcore.AlterError](err); ok {
		switch {
		case alter.Adds && duplicateColumn[e.Code]:
			fault.Kind = sqlcore.Clash
		case refusals[e.Code] || fault.Kind == sqlcore.Bad:
			fault.Kind = sqlcore.Refused
		}
	}
	return fault
}
