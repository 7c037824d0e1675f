package ledger

import (
	"context"
	"slices"

	"github.com/sluicehq/sluice/internal/event"
)

// Mappings is what the mapping of records needs to know and to remember.
type Mappings interface {
	// Related returns the current state of those of the records that exist, in
	// any order.
	Related(ctx context.Context, keys []event.RecordKey) ([]event.Record, error)
	// Arrived returns those of the records of which the destination has some
	// version.
	Arrived(ctx context.Context, destination string, keys []event.RecordKey) ([]event.RecordKey, error)
	// Intend remembers, before they are written, elements of lists that the
	// destination may have afterwards, by delivery and object. They are added to
	// those that are known, until an outcome says what is there: so an element
	// that was written in a call whose answer was lost can be deleted later.
	Intend(ctx context.Context, c ClaimToken, children map[int64]map[string][]string) error
}

// Merged is a record that changed.
type Merged struct {
	Record *event.Record
	// Before is the record before these changes, its version 0 if there was none.
	// Only with [Application.Before].
	Before  *event.Record
	Changes []event.Change // that were merged; more may have come in earlier chunks
}

// JoinChildren returns the elements of both, by object and in order.
func JoinChildren(a, b map[string][]string) map[string][]string {
	out := make(map[string][]string, len(a)+len(b))
	for _, from := range []map[string][]string{a, b} {
		for object, ids := range from {
			all := append(slices.Clone(out[object]), ids...)
			slices.Sort(all)
			out[object] = slices.Compact(all)
		}
	}
	return out
}

// LongestParent is how long the platform id of a parent may be that is remembered
// and so can wake who waits, in bytes. No record has a longer one, and an index
// of PostgreSQL does not take much more; the field that names a parent may hold
// anything.
const LongestParent = 2000
