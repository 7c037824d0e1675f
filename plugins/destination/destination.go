// Package destination is the contract between Sluice and a destination plugin.
// A plugin author implements [Destination] and hands it to serve.Main; the
// process boundary and its gRPC transport stay hidden.
//
// Invariant: Write may be called again with the same records after a crash, a
// timeout or a lost answer. Keys, versions and idempotency keys are there so
// that a destination can make the second call harmless.
package destination

import (
	"context"
	"encoding/json"
	"time"
)

// A Destination writes batches to one external system. Sluice starts one
// process per configured destination and calls its methods concurrently, Write
// at most as often at a time as the destination's concurrency allows.
type Destination interface {
	// Describe says who the plugin is and what it can do. It must work before
	// Configure and must not touch the network.
	Describe(ctx context.Context) (Description, error)

	// Configure takes the settings, as a JSON object that matches
	// Description.ConfigSchema, and prepares clients. It is called once, before
	// the first Write. An error is shown to the operator as it is, so it must
	// say what to change and must not hold a secret.
	Configure(ctx context.Context, settings json.RawMessage) error

	// Write brings the batch to the destination and returns one result per
	// record, in the order of the records. An error instead of results means
	// that nothing is known about any record; it may carry a [*Failure] to say
	// more, and counts as [Retry] otherwise.
	Write(ctx context.Context, batch Batch) ([]Result, error)
}

// A Checker is a Destination that can test credentials and reachability
// without writing data. Announce it with [CapabilityCheck].
type Checker interface {
	Check(ctx context.Context) error
}

// A DryRunner is a Destination that can say what Write would do (statements,
// requests) without doing it. Announce it with [CapabilityDryRun].
type DryRunner interface {
	DryRun(ctx context.Context, batch Batch) ([]string, error)
}

// An ObjectChecker is a Destination that can look at the external system and say
// what a mapping gets wrong about one of its objects. Announce it with
// [CapabilityObjects].
type ObjectChecker interface {
	// CheckObject asks about an object and fields that a mapping names, as they
	// would come in [Batch.Object] and [Record.Fields]. It writes nothing.
	CheckObject(ctx context.Context, object string, fields []string) (ObjectCheck, error)
}

// ObjectCheck is what CheckObject found. What Write would make by itself is not
// missing.
type ObjectCheck struct {
	Missing bool     // the object is not there
	Unknown []string // those of the fields that are not there
	Known   []string // names that are: of objects if it is missing, else of fields
}

// Capability names an optional ability. The names cross the process boundary;
// an unknown one is ignored.
type Capability string

// The capabilities.
const (
	CapabilityCheck   Capability = "check"   // implements Checker
	CapabilityDryRun  Capability = "dry_run" // implements DryRunner
	CapabilityObjects Capability = "objects" // implements ObjectChecker
	CapabilityRecords Capability = "records" // takes batches of ModeRecords
	CapabilityChanges Capability = "changes" // takes batches of ModeChanges
	CapabilityEvents  Capability = "events"  // takes batches of ModeEvents
)

// Description is what a plugin says of itself.
type Description struct {
	Name         string          // e.g. "postgres"
	Version      string          // of the plugin, e.g. "1.2.0"
	ConfigSchema json.RawMessage // JSON Schema of the settings; empty accepts any
	Capabilities []Capability
	// MaxBatchRecords and MaxBatchBytes bound one batch; 0 leaves it to Sluice
	// (1,000 records, 8 MiB).
	MaxBatchRecords int
	MaxBatchBytes   int
}

// Mode says what the records of a batch are.
type Mode string

// The modes. They cross the process boundary; never rename.
const (
	// ModeRecords: each record is the merged state of one record, to be
	// upserted or deleted by its key, guarded by its version.
	ModeRecords Mode = "records"
	// ModeChanges: each record is one change as it came, to be appended. The
	// idempotency key tells repetitions apart from new changes.
	ModeChanges Mode = "changes"
	// ModeEvents: each record is an event without records (sync completed,
	// connection changed), to be appended like a change.
	ModeEvents Mode = "events"
)

// Batch is what one Write brings: records of one mode and one object.
type Batch struct {
	Mode Mode
	// Object is the table, CRM object or topic: the data model's name in lower
	// case ("invoices") unless the route says otherwise; "events" for events.
	Object string
	// KeyFields names the elements of Record.Key, e.g. _company_id,
	// _integration_type, _platform_id.
	KeyFields []string
	// Types gives the type of fields that the data-model catalog knows. A field
	// that is not in it is to be judged by its value.
	Types   map[string]FieldType
	Records []Record
}

// FieldType is the type that the data-model catalog gives a field.
type FieldType string

// The field types. They cross the process boundary; never rename.
const (
	TypeBoolean   FieldType = "boolean"
	TypeNumber    FieldType = "number" // decimal of any precision; never a float
	TypeTimestamp FieldType = "timestamp"
	TypeText      FieldType = "text"
	TypeJSON      FieldType = "json" // arrays and objects
)

// Operation is what to do with a record.
type Operation string

// The operations of a Record. They cross the process boundary; never rename.
const (
	Upsert Operation = "upsert"
	Delete Operation = "delete"
	Append Operation = "append" // ModeChanges and ModeEvents
)

// Record is one element of a batch.
type Record struct {
	// Key identifies the record at the destination; same order and length as
	// Batch.KeyFields.
	Key       []string
	Operation Operation
	// Version grows with every change of the record. A destination must never
	// overwrite a larger version with a smaller one. For ModeChanges and
	// ModeEvents it is the sequence number of the event.
	Version int64
	// Fields is the whole record: every field with its value as JSON. Numbers
	// are exact decimal text. A null clears the field. With Delete, the last
	// values known, for destinations that keep deleted rows.
	Fields map[string]json.RawMessage
	// Changed lists the fields whose value may differ from what the destination
	// has, so that an update can be limited to them. On a first write it names
	// every field. Empty with Delete.
	Changed []string
	// IdempotencyKey is the same for every repetition of this write.
	IdempotencyKey string
	// OccurredAt is when the change happened at the source.
	OccurredAt time.Time
	// Origin says where the record comes from.
	Origin Origin
}

// Origin describes the source of a record or event.
type Origin struct {
	Source      string // name of the source in the configuration, e.g. "rootfi"
	CompanyID   string
	Integration string // e.g. "XERO"
	Model       string // data model, e.g. "INVOICES"; empty for events
	PlatformID  string // empty for events
	EventID     string // ModeChanges and ModeEvents
	EventKind   string // ModeChanges and ModeEvents, e.g. "sync_completed"
	Operation   string // ModeChanges: CREATE, UPDATE or DELETE as it came
}

// ResultKind says what became of a record.
type ResultKind int

// The result kinds are numbers on the wire; append only.
const (
	Retry         ResultKind = iota // may work later; the zero value: an unclassified error
	Delivered                       // written, or already newer there
	Throttled                       // not a failure: the destination asks to wait until Result.Until
	Dependency                      // a parent record is missing there; it may come
	Rejected                        // this record will never be accepted as it is
	Misconfigured                   // nothing will be accepted until the settings change
)

// String names the kind as logs and the ledger do.
func (k ResultKind) String() string {
	switch k {
	case Delivered:
		return "delivered"
	case Throttled:
		return "throttled"
	case Dependency:
		return "dependency"
	case Rejected:
		return "rejected"
	case Misconfigured:
		return "misconfigured"
	default:
		return "retry"
	}
}

// Scope is what a [Throttled] result holds up. The names cross the process
// boundary; never rename. One that the reader does not know counts as
// [ScopeDestination].
type Scope string

// The scopes.
const (
	ScopeDestination Scope = ""        // everything that goes to the destination
	ScopeObject      Scope = "object"  // the batch's object
	ScopeAccount     Scope = "account" // the company that the record is of (Origin.CompanyID)
)

// Result is the outcome for one record.
type Result struct {
	Kind ResultKind
	// Code is the destination's short, stable word for the problem, e.g.
	// "PROPERTY_DOESNT_EXIST" or a SQLSTATE. It must not hold values of records:
	// it goes to logs and metrics.
	Code string
	// Message is for the operator. It is kept in the ledger and may quote the
	// destination; it never goes to logs.
	Message string
	// Until is the earliest moment for another try; zero leaves it to the
	// retry policy. Throttled must set it.
	Until time.Time
	// Scope is what waits until Until; of Throttled only. What it does not name
	// goes on.
	Scope Scope
	// ExternalID is the destination's own id of the record, if it has one.
	ExternalID string
}

// CodePanic is the code of a [Failure] that stands for a panic of the plugin.
// Like a lost answer it may be one record's doing: Sluice looks for that one.
const CodePanic = "PANIC"

// CodeRestarting is the code of the [Failure] that Sluice makes itself, of kind
// [Throttled], while the plugin's process is between two lives.
const CodeRestarting = "PLUGIN_RESTARTING"

// Failure is an error with a kind. Return it (wrapped or not) from Write, Check
// or Configure when the kind is known and holds for the whole call.
type Failure struct {
	Kind  ResultKind
	Code  string
	Until time.Time
	Scope Scope // as in Result, for every record of the call
	Err   error // never nil
}

func (f *Failure) Error() string { return f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }
