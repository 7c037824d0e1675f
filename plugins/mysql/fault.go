package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/go-sql-driver/mysql"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// numbers says what error numbers mean, which MariaDB and MySQL share. What is not
// listed may pass.
var numbers = map[uint16]sqlcore.FaultKind{
	1213: sqlcore.Clash,  // deadlock
	1020: sqlcore.Clash,  // the record has changed since it was read
	1146: sqlcore.Stale,  // no such table
	1054: sqlcore.Stale,  // no such column
	1452: sqlcore.Orphan, // somebody's foreign key
	1216: sqlcore.Orphan,

	1048: sqlcore.Bad, // null where there must be none
	1062: sqlcore.Bad, // somebody's unique index
	1153: sqlcore.Bad, // larger than max_allowed_packet
	1264: sqlcore.Bad, // out of range
	1265: sqlcore.Bad, // cut
	1292: sqlcore.Bad, // wrong value
	1366: sqlcore.Bad, // wrong value
	1406: sqlcore.Bad, // too long
	1411: sqlcore.Bad, // wrong value for a function
	1644: sqlcore.Bad, // raised by somebody's trigger
	3819: sqlcore.Bad, // check constraint of MySQL
	4025: sqlcore.Bad, // check constraint of MariaDB

	1044: sqlcore.Setup, // no right to the database
	1045: sqlcore.Setup, // user or password
	1049: sqlcore.Setup, // no such database
	1142: sqlcore.Setup, // no right to the table
	1143: sqlcore.Setup, // no right to the column
	1227: sqlcore.Setup, // no privilege
	1290: sqlcore.Setup, // read-only
	1698: sqlcore.Setup, // user or password
	1836: sqlcore.Setup, // read-only
}

// refusals are errors of ALTER TABLE that are due to the column.
var refusals = map[uint16]struct{}{
	1059: {},                               // the name is too long
	1060: {},                               // another column has the name: accents do not count in names
	1117: {},                               // too many columns
	1118: {},                               // the row would be too long
	1166: {},                               // no name for a column
	1170: {},                               // an index uses it
	1300: {},                               // a character that names cannot have
	1832: {},                               // a foreign key uses it
	1833: {},                               // a foreign key of another table uses it
	1846: {}, 1901: {}, 1904: {}, 1906: {}, // a generated column uses it
	3106: {}, 3108: {}, 3780: {},
}

// Fault implements [sqlcore.Database].
func (d *database) Fault(err error) sqlcore.Fault {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		fault := sqlcore.Fault{Kind: numbers[e.Number], Code: strconv.Itoa(int(e.Number))}
		_, refused := refusals[e.Number]
		if _, alters := errors.AsType[*sqlcore.AlterError](err); alters && (refused || fault.Kind == sqlcore.Bad) {
			fault.Kind = sqlcore.Refused
		}
		return fault
	}
	switch {
	case errors.Is(err, mysql.ErrPktTooLarge):
		return sqlcore.Fault{Kind: sqlcore.Bad, Code: "PACKET_TOO_LARGE"}
	case errors.Is(err, errBusy):
		return sqlcore.Fault{Code: "LOCKED"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return sqlcore.Fault{Code: "CANCELLED"}
	}
	return sqlcore.Fault{Code: "CONNECTION"}
}
