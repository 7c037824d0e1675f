// Package sqlcore brings batches into SQL tables. It decides everything that
// must be the same in every database: how records become tables, columns and
// values, how tables grow, which version wins, and which record of a failed
// batch is to blame. A database joins by implementing [Database]; one that knows
// INSERT ... ON CONFLICT gets its statements from [Render].
//
// A record table has one row per key. A row never goes back to an older version.
// A column is never dropped, and a value that does not fit its column widens the
// column to text: nothing is cut, rounded or left out. Numbers stay decimal text
// from the batch to the database.
package sqlcore
