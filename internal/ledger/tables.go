package ledger

import (
	"context"
	"iter"
)

// Exporter hands out all that a ledger holds, table by table, for a copy into
// another one.
type Exporter interface {
	// Rows are the rows of the table, in the order of its columns: values are
	// int64, bool, string, []byte, time.Time, or nil.
	Rows(ctx context.Context, t Table) iter.Seq2[[]any, error]
	// Numbers are the largest numbers that were ever given out, by table. None of
	// them may come back.
	Numbers(ctx context.Context) (map[string]int64, error)
}

// Table is one table of an export.
type Table struct {
	Name    string
	Columns []Column
}

// Column is one column of an export.
type Column struct {
	Name string
	Type ColumnType
}

// ColumnType says what the values of a column are.
type ColumnType int

// The types of columns.
const (
	Number   ColumnType = iota // int64 or nil
	Truth                      // bool
	Text                       // string or nil
	Bytes                      // []byte
	Moment                     // time.Time or nil
	Duration                   // microseconds
)

// Tables are those of an export. The progress of batches is a table of its own,
// and the events that no batch holds are those above the number of the cursor.
var Tables = []Table{
	{"events", []Column{
		{"seq", Number}, {"source", Text}, {"event_id", Text}, {"hash", Text}, {"kind", Text}, {"format", Text},
		{"created_at", Moment}, {"received_at", Moment}, {"company_id", Text}, {"integration", Text}, {"model", Text},
		{"operation", Text}, {"sync_id", Text}, {"job_id", Text}, {"status", Text}, {"sync_type", Text}, {"records", Number}, {"body", Bytes},
	}},
	{"batches", []Column{{"id", Number}, {"first_seq", Number}, {"last_seq", Number}, {"created_at", Moment}, {"done", Truth}}},
	{"progress", []Column{{"id", Number}, {"applied", Truth}, {"counted_seq", Number}, {"counted_index", Number}, {"revision", Number}}},
	{"names", []Column{{"id", Number}, {"name", Text}}},
	{"scopes", []Column{{"id", Number}, {"source", Text}, {"company_id", Text}, {"integration", Text}, {"model", Text}}},
	{"records", []Column{
		{"id", Number}, {"scope", Number}, {"platform_id", Text}, {"version", Number}, {"deleted", Truth}, {"updated_at", Moment}, {"state", Bytes},
	}},
	{"deliveries", []Column{
		{"id", Number}, {"destination", Number}, {"model", Number}, {"route", Number}, {"revision", Number}, {"record_id", Number},
		{"event_seq", Number}, {"idx", Number}, {"batch", Number}, {"state", Number}, {"wanted", Number}, {"delivered", Number},
		{"attempts", Number}, {"suspect", Number}, {"first_fail", Moment}, {"due", Moment}, {"since", Moment}, {"delivered_at", Moment},
		{"error_kind", Text}, {"code", Text}, {"message", Text}, {"children", Text}, {"blocked", Moment},
	}},
	{"parents", []Column{{"destination", Number}, {"scope", Number}, {"platform_id", Text}, {"delivery_id", Number}}},
	{"unrouted", []Column{{"event_seq", Number}}},
	{"dead_letters", []Column{
		{"id", Number}, {"delivery_id", Number}, {"destination", Text}, {"route", Text}, {"kind", Text}, {"source", Text}, {"company_id", Text},
		{"integration", Text}, {"model", Text}, {"platform_id", Text}, {"event_seq", Number}, {"event_id", Text}, {"idx", Number},
		{"version", Number}, {"error_kind", Text}, {"code", Text}, {"message", Text}, {"attempts", Number}, {"created_at", Moment}, {"state", Text},
	}},
	{"batch_counts", []Column{
		{"batch", Number}, {"destination", Number}, {"model", Number}, {"waiting", Number}, {"delivered", Number}, {"dead", Number},
	}},
	{"delivery_counts", []Column{{"destination", Number}, {"model", Number}, {"waiting", Number}, {"delivered", Number}, {"dead", Number}}},
	{"model_counts", []Column{{"model", Text}, {"changes", Number}, {"changed", Number}, {"unchanged", Number}}},
	{"pauses", []Column{{"destination", Text}, {"reason", Text}, {"message", Text}, {"since", Moment}, {"until", Moment}}},
	{"part_pauses", []Column{{"destination", Text}, {"scope", Text}, {"part", Text}, {"message", Text}, {"since", Moment}, {"until", Moment}}},
	{"clocks", []Column{{"destination", Text}, {"paused", Duration}}},
}
