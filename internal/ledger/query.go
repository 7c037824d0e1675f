package ledger

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/event"
)

// Reader answers operators' questions. Lists come newest first.
type Reader interface {
	ListEvents(ctx context.Context, f EventFilter) ([]EventSummary, error)
	// EventByID returns an event with its body and the state of its deliveries.
	EventByID(ctx context.Context, source, id string) (EventDetail, error)
	// RecordByKey returns a record with its deliveries. Any empty element of the
	// key but the platform id matches all.
	RecordsByKey(ctx context.Context, key event.RecordKey) ([]RecordDetail, error)
	ListDeadLetters(ctx context.Context, f DeadLetterFilter) ([]DeadLetter, error)
	DeadLetterByID(ctx context.Context, id int64) (DeadLetter, error)
	// DestinationStates counts deliveries by destination and reports pauses.
	DestinationStates(ctx context.Context) ([]DestinationState, error)
	// ModelCounts counts what was applied, by data model, since the beginning.
	ModelCounts(ctx context.Context) (map[string]ModelCount, error)
	// DeliveryCounts counts deliveries by destination and data model ("" for
	// events without a model).
	DeliveryCounts(ctx context.Context) ([]DeliveryCount, error)
	// Backlog counts events no batch holds and batches not applied yet, and the
	// age of the oldest event among them.
	Backlog(ctx context.Context) (Backlog, error)
}

// Operator changes the state on an operator's word, or by the rules of retention.
type Operator interface {
	// RetryDeadLetters books the dead letters again, in a new batch, which
	// Undone lists. It returns how many.
	RetryDeadLetters(ctx context.Context, f DeadLetterFilter) (batch int64, n int, err error)
	// DiscardDeadLetters marks dead letters as given up for good.
	DiscardDeadLetters(ctx context.Context, f DeadLetterFilter) (n int, err error)
	// Pause sets the pause of a destination, or of a part of it. Resume clears
	// both: what waited for a part is due at once.
	Pause(ctx context.Context, p Pause) error
	Resume(ctx context.Context, destination string) error
	// ExtendPause moves the end of a destination's pause, if it is still the one
	// that was seen. Of several who want to probe the destination it chooses one:
	// the others have not seen the new end.
	ExtendPause(ctx context.Context, seen Pause, until time.Time) (extended bool, err error)
	// EndPause clears the pause if it is still the one that was seen: not one
	// that took its place meanwhile. It reports whether it did.
	EndPause(ctx context.Context, seen Pause) (ended bool, err error)
	// Pauses lists the pauses of destinations, and those of parts after each.
	Pauses(ctx context.Context) ([]Pause, error)
	// Prune deletes bodies and finished events received before the given moment,
	// with their batches and the deliveries of single changes and events that
	// are done. Records, versions and dead letters stay; an event with an open
	// delivery or dead letter stays too.
	Prune(ctx context.Context, before time.Time) (Pruned, error)
}

// Pruned counts what retention removed.
type Pruned struct {
	Events     int64
	Batches    int64
	Deliveries int64
}

// EventFilter narrows a list of events. Empty fields match all.
type EventFilter struct {
	Source, CompanyID, Model string
	Kind                     event.Kind
	BeforeSeq                int64 // for paging; 0 = from the newest
	Limit                    int   // 0 = 50
	Unrouted                 bool  // only those that no route takes
}

// EventSummary is an event without its body.
type EventSummary struct {
	event.Event       // Body is nil
	Batch       int64 // 0 while no batch holds it
	Applied     bool
}

// EventDetail is an event with its body and deliveries.
type EventDetail struct {
	event.Event
	Batch      int64
	Applied    bool
	BatchFirst int64 // first event of the batch
	// Revision is of the configuration that merged and routed the batch, the last
	// one if a reload came in between; empty until then.
	Revision string
	// Deliveries counts, by destination, what the event's batch booked.
	Deliveries []DeliveryCount
}

// RecordDetail is a record and where it stands.
type RecordDetail struct {
	event.Record
	UpdatedAt  time.Time
	Deliveries []DeliveryState
}

// DeliveryState is a delivery for display.
type DeliveryState struct {
	Destination string    `json:"destination"`
	Route       string    `json:"route"`
	State       string    `json:"state"` // waiting, delivered or dead
	Wanted      int64     `json:"wanted_version"`
	Delivered   int64     `json:"delivered_version"`
	Attempts    int       `json:"attempts"`
	ErrorKind   string    `json:"error_kind,omitempty"`
	Code        string    `json:"code,omitempty"`
	Message     string    `json:"message,omitempty"`
	RetryAt     time.Time `json:"retry_at,omitzero"`
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	Revision    string    `json:"revision,omitempty"`
}

// DeadLetterFilter narrows a list of dead letters. Empty fields match all open ones.
type DeadLetterFilter struct {
	IDs         []int64
	Destination string
	Model       string
	Code        string
	BeforeID    int64 // for paging
	Limit       int   // 0 = 50 for lists, no limit for actions
}

// DeadLetter is a delivery given up.
type DeadLetter struct {
	ID          int64           `json:"id"`
	Destination string          `json:"destination"`
	Route       string          `json:"route"`
	Kind        DeliveryKind    `json:"kind"`
	Key         event.RecordKey `json:"key"`        // empty for events
	EventSeq    int64           `json:"event_seq"`  // 0 for records
	EventID     string          `json:"event_id"`   // empty for records
	Index       int             `json:"index"`      // DeliverChange
	Version     int64           `json:"version"`    // that was wanted
	ErrorKind   string          `json:"error_kind"` // rejected, exhausted, unkeyed…
	Code        string          `json:"code"`
	Message     string          `json:"message"`
	Attempts    int             `json:"attempts"`
	CreatedAt   time.Time       `json:"created_at"`
	State       string          `json:"state"` // open, retried, discarded or superseded
}

// DestinationState is how a destination stands.
type DestinationState struct {
	Destination string    `json:"destination"`
	Waiting     int64     `json:"waiting"`
	Delivered   int64     `json:"delivered"`
	Dead        int64     `json:"dead"`
	OldestSince time.Time `json:"oldest_waiting_since,omitzero"`
	Pause       *Pause    `json:"pause,omitempty"`
	Parts       []Pause   `json:"paused_parts,omitempty"`
}

// DeliveryCount counts deliveries of one destination and data model.
type DeliveryCount struct {
	Destination string `json:"destination"`
	Model       string `json:"model"`
	Waiting     int64  `json:"waiting"`
	Delivered   int64  `json:"delivered"`
	Dead        int64  `json:"dead"`
}

// Backlog is what was accepted and not applied.
type Backlog struct {
	Events  int64     `json:"events"`
	Batches int64     `json:"batches"`
	Oldest  time.Time `json:"oldest,omitzero"`
}

// The reasons of a pause. Stored; never rename.
const (
	PauseOperator      = "operator"      // somebody said so
	PauseThrottled     = "throttled"     // the destination asked to wait
	PauseMisconfigured = "misconfigured" // nothing will be accepted until settings change
	PauseDown          = "down"          // calls fail, whatever is in them
	PauseRestarting    = "restarting"    // the plugin's process ended or did not start
)

// PauseReasons lists them.
func PauseReasons() []string {
	return []string{PauseOperator, PauseThrottled, PauseMisconfigured, PauseDown, PauseRestarting}
}

// The scopes of a pause. Stored; never rename.
const (
	ScopeDestination = ""        // all of it
	ScopeObject      = "object"  // one table, CRM object or topic
	ScopeAccount     = "account" // one company
)

// Pause says why and how long a destination is not tried. Resume moves the
// first failure of what waits there by the length of the pause, so that pauses
// do not use up the time after which a delivery is given up. A pause by an
// operator is not replaced by one for another reason.
type Pause struct {
	Destination string    `json:"destination"`
	Scope       string    `json:"scope,omitempty"`
	Part        string    `json:"part,omitempty"` // the object, or the company's id; always throttled
	Reason      string    `json:"reason"`
	Message     string    `json:"message"`
	Since       time.Time `json:"since"`
	Until       time.Time `json:"until,omitzero"` // zero: until somebody resumes it
}

// Probed reports whether the pause ends when a probe arrives, and Until is only
// the moment of the next one.
func (p Pause) Probed() bool { return p.Reason == PauseMisconfigured || p.Reason == PauseDown }
