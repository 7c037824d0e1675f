// Package ledger defines the durable store of events, records, deliveries and
// dead letters. The state of the ledger decides what is delivered; Temporal
// only drives. Implementations are in sqlite and postgres, and one test suite
// (ledgertest) holds them all to the same behaviour.
//
// Guarantees: what Append returned is on disk; Apply, Settle and every other
// change are one transaction each; no transaction is open while a destination
// is called. All methods may be called concurrently.
package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/sluicehq/sluice/internal/event"
)

// ErrNotFound is returned for an event, record or dead letter that is not there.
var ErrNotFound = errors.New("not found")

// ErrFull wraps the cause when the disk has no room (or a quota is used up).
// Nothing was stored; the sender may try again.
var ErrFull = errors.New("the ledger cannot grow")

// Ledger is the whole store. Callers declare the part they use as an interface
// of their own.
type Ledger interface {
	Appender
	Batches
	Deliveries
	Mappings
	Reader
	Operator
	Close() error
}

// Appender takes events in.
type Appender interface {
	// Append stores the event durably, or finds that it is there already. It
	// returns after the commit, which it may share with other callers (group
	// commit).
	//
	// Invariant 1: acknowledged means durable.
	Append(ctx context.Context, ev event.Event) (Appended, error)
	// Signal is sent to (without blocking; capacity 1) after commits that may
	// have made events or batches available to ClaimBatch and Undone.
	Signal() <-chan struct{}
}

// Appended is the answer to an append.
type Appended struct {
	Seq       int64
	EventID   string // of the stored event: for a hashed id outside its window, made unique
	Duplicate bool
}

// Batch is what one workflow drives: the events that were claimed together, or,
// for a batch without events, deliveries to be driven again.
type Batch struct {
	ID       int64
	FirstSeq int64 // 0 when the batch has no events
	LastSeq  int64
	Events   []EventRef // in order of Seq
	Applied  bool
}

// EventRef is what the dispatcher needs to know of an event: enough to name the
// workflow and to find it in Temporal, and nothing of the event's contents.
type EventRef struct {
	Seq       int64
	Source    string
	ID        string
	Kind      event.Kind
	CompanyID string
	Model     string
	Operation event.Operation
	SyncID    string
}

// Batches groups events and applies them to records.
type Batches interface {
	// ClaimBatch takes up to max events that no batch holds yet, oldest first,
	// into a new batch, durably. ok is false when there are none.
	ClaimBatch(ctx context.Context, max int) (b Batch, ok bool, err error)
	// Undone lists, in order of ID, batches above afterID that still have events
	// to apply or deliveries to make. Before it looks, it marks as done those
	// that have not.
	Undone(ctx context.Context, afterID int64, limit int) ([]Batch, error)
	// BatchByID returns one batch. ErrNotFound if there is none.
	BatchByID(ctx context.Context, id int64) (Batch, error)
	// Events returns whole events of the batch with a sequence above afterSeq,
	// in order, until their bodies exceed maxBytes (always at least one).
	Events(ctx context.Context, batch int64, afterSeq int64, maxBytes int) ([]event.Event, error)
	// Apply merges the changes into their records and books deliveries, in one
	// transaction. Applying a chunk again changes nothing.
	Apply(ctx context.Context, in Application) (Applied, error)
	// Pending counts the deliveries of the batch that are waiting, by
	// destination. It includes those booked for a batch without events.
	Pending(ctx context.Context, batch int64) (map[string]int, error)
	// Dead counts the deliveries of the batch to the destination that were given
	// up (state dead).
	Dead(ctx context.Context, batch int64, destination string) (int, error)
}

// Application is one chunk of a batch, to be applied in one transaction.
type Application struct {
	Batch   int64
	Changes []event.Change // several may have the same key
	// Route is called inside the transaction for each record that really
	// changed; it must be pure and fast. The deliveries it returns are booked as
	// wanted at the record's new version, superseding older wishes.
	Route func(m Merged) []Want
	// Before asks for what each record was before; see [Merged].
	Before bool
	// Appends are deliveries of single changes and of events, routed already.
	Appends []AppendWant
	// Unkeyed are changes that cannot be merged because nothing identifies their
	// record. They become dead letters.
	Unkeyed []Unkeyed
	// Unrouted are events that no route takes; they are remembered for operators.
	Unrouted []int64
	// Final marks the batch as applied: this was its last chunk.
	Final    bool
	Revision string // of the configuration that routed it
}

// Want names a destination for a record, and the route that chose it.
type Want struct {
	Destination string
	Route       string
}

// AppendWant books the delivery of one change (Index >= 0) or of a whole event
// (Index < 0), to be appended at the destination.
type AppendWant struct {
	Want
	Seq   int64
	Index int
	Model string
}

// Unkeyed is a change without identity.
type Unkeyed struct {
	Want
	Seq    int64
	Index  int
	Model  string
	Reason string
}

// Applied counts what an application did.
type Applied struct {
	Changed   int // records with a new version
	Unchanged int // records whose changes said nothing new
	ByModel   map[string]ModelCount
	Unrouted  int // events that are remembered as unrouted and were not before
}

// ModelCount counts the changes of one data model.
type ModelCount struct {
	Changes   int64 `json:"changes"`   // elements that webhooks carried
	Changed   int64 `json:"changed"`   // records that got a new version
	Unchanged int64 `json:"unchanged"` // records whose changes said nothing new
}

// Deliveries brings what is wanted to its destinations.
type Deliveries interface {
	// Claim leases deliveries of one destination that are waiting and due: first
	// those of the given batch (0: none in particular), then others, oldest
	// batch first, up to Limit. A delivery is leased to at most one claim at a
	// time, over all instances, and a record's content is the current one.
	//
	// Invariant 3: at most one write in flight per record and destination.
	Claim(ctx context.Context, in ClaimRequest) (Claim, error)
	// Settle books the outcomes of a claim's deliveries and ends its lease on
	// all of them; those without an outcome are waiting again. Outcomes of
	// deliveries whose lease was lost are ignored.
	Settle(ctx context.Context, c ClaimToken, outcomes []Outcome) error
}

// ClaimRequest asks for deliveries.
type ClaimRequest struct {
	Destination string
	Batch       int64
	Limit       int
	MaxBytes    int           // stop adding deliveries when their contents exceed it; 0 = no bound
	Lease       time.Duration // how long the claim may take before others may claim again
	Look        bool          // take nothing: only say what is left of the batch
}

// ClaimToken identifies a claim to Settle.
type ClaimToken struct {
	ID          string
	Destination string
}

// Claim is what was leased.
type Claim struct {
	Token ClaimToken
	Items []Delivery
	// OwnLeft counts deliveries of the requested batch that are still waiting
	// but are not in this claim, and OwnLeased how many of those another claim
	// holds. NextDue is the earliest moment at which one of the others is due
	// (zero if one is due now or none is left).
	OwnLeft   int
	OwnLeased int
	NextDue   time.Time
	// More says that a bound ended the claim, be it a number or bytes: there may
	// be more to claim at once.
	More bool
}

// DeliveryKind tells what a delivery delivers.
type DeliveryKind string

// The kinds of deliveries. Stored; never rename.
const (
	DeliverRecord DeliveryKind = "record"
	DeliverChange DeliveryKind = "change"
	DeliverEvent  DeliveryKind = "event"
)

// Delivery is the state of one record, change or event towards one destination.
type Delivery struct {
	ID          int64
	Destination string
	Kind        DeliveryKind
	Batch       int64
	Route       string
	Revision    string

	Record *event.Record // DeliverRecord: current state
	Event  *event.Event  // DeliverChange, DeliverEvent
	Index  int           // DeliverChange: position in the event's data

	Wanted    int64 // version that is wanted (DeliverRecord)
	Delivered int64 // version the destination has; 0 = nothing yet
	Attempts  int   // failures so far since the last success
	Suspect   int   // calls lost with it since the last answer: it may be what breaks them
	FirstFail time.Time

	Blocked  time.Time           // since when it waits for a parent; zero if it does not
	Children map[string][]string // DeliverRecord: elements of its lists that may be there, by object
}

// Outcome is what became of one delivery.
type Outcome struct {
	DeliveryID int64
	Result     OutcomeKind
	Version    int64     // DeliverRecord: the version that was written
	RetryAt    time.Time // OutcomeRetry, OutcomeWait: not due before
	Lost       bool      // OutcomeRetry: the whole call was lost, the destination said nothing of it
	Held       bool      // OutcomeWait: the time until RetryAt is a pause, and does not use up that for retries
	ErrorKind  string    // short word, safe for logs
	Code       string    // of the destination, safe for logs
	Message    string    // whole, for operators only

	// OutcomeDelivered of a record whose mapping expands lists: the elements that
	// are there now, by object. nil leaves what is known.
	Children map[string][]string
	// OutcomeBlocked: records that must be at the destination first. A delivery
	// of any of them wakes this one, before RetryAt. If Seen is not set and one of
	// them has been delivered already, it is due at once.
	Parents []event.RecordKey
	Seen    bool
}

// OutcomeKind says how a delivery is booked.
type OutcomeKind int

// The kinds of outcomes.
const (
	OutcomeRetry     OutcomeKind = iota // failed, waits for another attempt: counts
	OutcomeDelivered                    // done at Version; waits again if a newer one is wanted by now
	OutcomeWait                         // not a failure: waits until RetryAt, counts nothing
	OutcomeDead                         // becomes a dead letter
	OutcomeBlocked                      // not a failure: waits for a parent until RetryAt, counts nothing
)
