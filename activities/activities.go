// Package activities holds the activity definitions: Apply merges events into
// records, Deliver brings records to one destination. They see the ledger and
// the plugin host through small interfaces, and failure.go is the one place
// that translates a failure into what Temporal needs to know.
//
// Invariant 5: what they return to Temporal are references and counts.
package activities

import (
	"context"
	"log/slog"
	"time"

	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

// DefaultTaskQueue is the queue of the workflows unless the configuration names
// another.
const DefaultTaskQueue = "sluice"

// TaskQueue is the queue of a destination's deliveries, given that of the
// workflows: with a queue of its own, a Sluice shares a namespace with others
// and none takes another's deliveries. Stored; never rename.
func TaskQueue(workflows, destination string) string {
	if workflows == "" || workflows == DefaultTaskQueue {
		return "deliver-" + destination
	}
	return workflows + "-deliver-" + destination
}

// Store is the part of the ledger that activities use.
type Store interface {
	ledger.Batches
	ledger.Deliveries
	ledger.Mappings
	Pause(ctx context.Context, p ledger.Pause) error
	DestinationStates(ctx context.Context) ([]ledger.DestinationState, error)
}

// Writer is the part of the plugin host that activities use.
type Writer interface {
	Write(ctx context.Context, destination string, b destination.Batch) ([]destination.Result, error)
}

// Payloads takes apart the events of one type of source.
type Payloads interface {
	// Changes returns the changes of a data-model event and those that nothing
	// identifies. An error means that the body cannot be read at all.
	Changes(ev event.Event) ([]event.Change, []Unkeyed, error)
}

// Unkeyed is an element of a data-model event that names no record.
type Unkeyed struct {
	Index  int
	Reason string
}

// Passes learns how far a workflow has come, so that the dispatcher can bound
// how many are in their first pass.
type Passes interface {
	// Applied says that the batch is merged and goes to these destinations.
	Applied(batch int64, destinations []string)
	// Attempted says that an attempt to deliver the batch to a destination is over.
	Attempted(batch int64, destination string, wrote bool)
}

// Settings are what activities know of the configuration. They are replaced
// whole when it changes.
type Settings struct {
	Revision     string
	TaskQueue    string // of the workflows
	Table        *routing.Table
	Plans        *mapping.Plans // how records are mapped; nil: none are
	Destinations map[string]Destination
}

// Destination is what activities know of a configured destination.
type Destination struct {
	MaxBatchRecords int
	MaxBatchBytes   int
	Timeout         time.Duration // of one write
	WritesPerSecond float64       // 0 = no limit
	BatchWait       time.Duration // how long the first delivery waits for others; 0 = not at all
	InitialInterval time.Duration
	Coefficient     float64
	MaxInterval     time.Duration
	MaxElapsed      time.Duration
}

// Pace reserves the next moment for a write to a destination, of so many in a
// second, and returns how long it is until then. If that is longer than
// patience, ok is false and nothing is reserved.
type Pace func(ctx context.Context, destination string, perSecond float64, patience time.Duration) (wait time.Duration, ok bool, err error)

// Activities are registered with the workers. Create them with [New].
type Activities struct {
	store    Store
	writer   Writer
	payloads map[string]Payloads // by format family, e.g. "rootfi"
	passes   Passes
	settings func() *Settings
	pauses   Pauses
	check    func(ctx context.Context, destination string) error
	pace     Pace
	metrics  *Metrics
	log      *slog.Logger

	unfinished unfinished

	flows    flows
	gates    *Gates
	circuits circuits
}

// Pauses are those in force: of a destination, nil if it is not paused, and of
// parts of it.
type Pauses func(destination string) (whole *ledger.Pause, parts []ledger.Pause)

// Options are what [New] needs; all fields but Pauses, Check, Pace and Gates are required.
type Options struct {
	Store    Store
	Writer   Writer
	Payloads map[string]Payloads
	Passes   Passes
	Settings func() *Settings
	// Pauses says what must not be written to now. The queue of a destination that
	// is paused is not polled, but an attempt may be under way or on its way here.
	// nil: none is ever paused.
	Pauses Pauses
	// Check tests whether a destination can be reached; [ErrNoCheck] if it cannot
	// tell. nil: none can.
	Check func(ctx context.Context, destination string) error
	// Pace holds the rates of destinations over all instances. nil: this process
	// is alone and holds them itself.
	Pace    Pace
	Metrics *Metrics
	Logger  *slog.Logger
	// Gates keep writes and changes of settings apart; nil: settings never change.
	Gates *Gates
}

// New returns the activities.
func New(o Options) *Activities {
	if o.Pace == nil {
		o.Pace = newOwnPace().reserve
	}
	if o.Pauses == nil {
		o.Pauses = func(string) (*ledger.Pause, []ledger.Pause) { return nil, nil }
	}
	if o.Gates == nil {
		o.Gates = new(Gates)
	}
	return &Activities{
		store: o.Store, writer: o.Writer, payloads: o.Payloads, passes: o.Passes,
		settings: o.Settings, pauses: o.Pauses, check: o.Check, pace: o.Pace, metrics: o.Metrics, log: o.Logger,
		flows: newFlows(), gates: o.Gates,
	}
}
