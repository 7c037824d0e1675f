package sqlcore

import (
	"context"
	"time"
)

// Database is one database as the core sees it. Its methods are called
// concurrently.
type Database interface {
	// Names says what the database asks of names.
	Names() Names
	// Digits says which numbers fit a column of numbers.
	Digits() Digits
	// TakesAny reports whether a column of the kind stores any text unchanged,
	// so that it never has to be widened.
	TakesAny(k Kind) bool
	// Columns returns the columns of a table; none if there is no such table.
	Columns(ctx context.Context, table string) ([]Column, error)
	// Alter reads the columns of a table, asks what is to change, and changes it.
	// No other process alters tables between reading and changing. An error that
	// is due to one column is an [*AlterError].
	Alter(ctx context.Context, table string, plan func(now []Column) ([]Alteration, error)) error
	// Write does all the work or nothing of it.
	Write(ctx context.Context, w Work) error
	// Fault says what an error of the other methods means.
	Fault(err error) Fault
	// Render and RenderAlteration return the SQL, without values.
	Render(s Statement) string
	RenderAlteration(table string, a Alteration) []string
}

// Calendar is for a [Database] whose instants do not reach from the year 1 to 9999.
// One of another year makes the column one of text.
type Calendar interface{ Years() (first, last int) }

// Alteration is one change to a table: exactly one of the fields is set.
type Alteration struct {
	Create *Layout // the table does not exist yet
	Add    *Column
	Widen  *Column // to text, from the kind that it has
}

// Refused says of the database's error which column it is about, if it is about one.
func (a Alteration) Refused(err error) error {
	switch {
	case a.Add != nil:
		return &AlterError{Column: a.Add.Name, Adds: true, Err: err}
	case a.Widen != nil:
		return &AlterError{Column: a.Widen.Name, Err: err}
	default:
		return err
	}
}

// Layout is a new table.
type Layout struct {
	Columns []Column
	Key     []string // primary key
}

// AlterError is an alteration that the database refused.
type AlterError struct {
	Column string
	Adds   bool // the column was to be new
	Err    error
}

func (e *AlterError) Error() string { return "column " + e.Column + ": " + e.Err.Error() }

func (e *AlterError) Unwrap() error { return e.Err }

// Op is what a statement does.
type Op int

// The operations.
const (
	Upsert Op = iota // insert, or update a row that is not newer
	Append           // insert, or leave the row that is there
	Delete           // remove a row that is not newer
)

// Statement is one operation on several rows of a table.
type Statement struct {
	Op    Op
	Table string
	Key   []string
	// Columns are what Values holds. With Delete they are the key and the version.
	Columns []Column
	// Unless names a table of tombstones: a row whose key has a newer one there is
	// left out. Upsert only.
	Unless string
	// Values has one list per column, all of the same length. A nil is null.
	Values [][]*string
	// Masks says for each row which Columns it has, one byte per column: '1', or
	// '0' where the row leaves the column alone. Empty if every row has all. Upsert
	// only, and only with [Options.Masked].
	Masks []string
}

// Work is what is to be written in one transaction.
type Work struct {
	Table      string
	Statements []Statement
	// Guarded work depends on tombstones or changes them: work on the same table
	// with Buries must not run at the same time.
	Guarded bool
	Buries  bool
}

// FaultKind says what to do about an error.
type FaultKind int

// The kinds of faults.
const (
	Passing FaultKind = iota // may work later
	Clash                    // lost against another transaction: again at once
	Stale                    // the table is not as it was: look again
	Bad                      // a value or a key is refused: find the record
	Orphan                   // a row of another table is missing: find the record
	Refused                  // the column cannot be altered
	Setup                    // nothing works until somebody changes settings or rights
	Busy                     // the database asks to wait until Fault.Until
)

// Fault is the meaning of an error.
type Fault struct {
	Kind FaultKind
	Code string // short, stable, without values
	// Until is the earliest moment for another try. Busy only.
	Until time.Time
}
