// Package event holds the domain types of Sluice (events, changes, records)
// and the merge that turns changes into records. It is pure: no I/O, no clock,
// and no import of any other package of this module.
//
// The merge is commutative and idempotent: any order, duplication and batching
// of the same changes ends in the same record. Everything downstream relies on
// that, because webhooks are retried and arrive in any order.
package event

import "time"

// Kind says what an event is about. The set is closed on our side; a payload of
// any other shape is [KindUnknown] and is stored all the same.
type Kind string

// The kinds of events. Stored; never rename.
const (
	KindDataModelChanges  Kind = "data_model_changes"
	KindSyncStarted       Kind = "sync_started"
	KindSyncCompleted     Kind = "sync_completed"
	KindConnectionChanged Kind = "connection_changed"
	KindIntegration       Kind = "integration" // platform-native events (RootFi v4)
	KindUnknown           Kind = "unknown"
)

// Kinds lists every kind, for validation and documentation.
var Kinds = []Kind{
	KindDataModelChanges, KindSyncStarted, KindSyncCompleted,
	KindConnectionChanged, KindIntegration, KindUnknown,
}

// Operation is what a change does to its record.
type Operation string

// The operations. Stored; never rename.
const (
	Create Operation = "CREATE"
	Update Operation = "UPDATE"
	Delete Operation = "DELETE"
)

// Event is one accepted webhook request.
type Event struct {
	Seq    int64  // ledger sequence, 0 until appended; grows in the order of acceptance
	Source string // name of the configured source
	ID     string // unique within the source
	// HashedID says that ID was derived from the body because the payload has
	// no id of its own. Such an id marks duplicates only within a time window.
	HashedID bool
	Kind     Kind
	Format   string // generation of the payload, e.g. "rootfi/v3b"

	CreatedAt  time.Time // of the envelope; zero when it has none
	ReceivedAt time.Time

	CompanyID   string // decimal text; empty when the payload has none
	Integration string // e.g. "XERO"; any string passes
	Model       string // data model, e.g. "INVOICES"; data-model events only
	Operation   Operation
	SyncID      string
	JobID       string
	Status      string // sync status or connection status, as sent
	SyncType    string // PULL or PUSH, as sent; sync events only
	Records     int    // elements of data as counted, not as claimed

	Body []byte // the request body, decompressed, byte for byte
}

// Time is the moment that orders this event's changes against others.
func (e *Event) Time() time.Time {
	// An envelope from the far future would win over every later change for as
	// long as its clock is wrong; past a day it is not believed.
	if e.CreatedAt.IsZero() || e.CreatedAt.After(e.ReceivedAt.Add(24*time.Hour)) {
		return e.ReceivedAt
	}
	return e.CreatedAt
}

// Stamp of the changes at position index of this event's data.
func (e *Event) Stamp(index int) Stamp {
	return Stamp{At: e.Time().UnixMicro(), Seq: e.Seq, Index: int64(index)}
}
