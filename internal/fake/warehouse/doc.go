// Package warehouse is a data warehouse in memory, for the fakes of those that
// nobody can run: tables with typed columns, transactions, and as much SQL as
// destinations send: CREATE, ALTER and DROP TABLE, MERGE, UPDATE, SELECT.
//
// It is strict. What it does not know is a syntax error, a value that does not
// fit its column is refused, a MERGE with two rows for one is refused, and keys are
// not enforced. One statement runs at a time; nothing is stored.
package warehouse
