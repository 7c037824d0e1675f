package ledger

import "context"

// Finding is something in a ledger that must not be. It names rows by their
// numbers and never says what is in them.
type Finding struct {
	Check   string `json:"check"`   // which check found it; stored in scripts, never rename
	Object  string `json:"object"`  // what it is about, such as "delivery 17"
	Problem string `json:"problem"` // what is wrong with it
	Advice  string `json:"advice"`  // what to do
}

// Checker looks at a whole ledger and reports what breaks its own rules: what
// would not be driven, what is counted wrongly, what refers to nothing. It
// changes nothing. A finding is no error; an error means that it could not look.
type Checker interface {
	Check(ctx context.Context, report func(Finding)) error
}

// The checks that every implementation makes. Stored in scripts; never rename.
const (
	CheckFile       = "file"              // the database itself is damaged
	CheckFiles      = "files"             // parts of the ledger are from different moments
	CheckBatches    = "batches"           // every event up to the cursor is in one batch
	CheckDone       = "done_batches"      // a batch is done only when nothing of it is left
	CheckDriven     = "driven_deliveries" // what waits belongs to a batch that is driven
	CheckVersions   = "versions"          // delivered and wanted versions exist
	CheckReferences = "references"        // rows that others point to are there
	CheckLetters    = "dead_letters"      // what was given up has a reason, and the reason a delivery
	CheckCounters   = "counters"          // what is counted agrees with the rows
	CheckRecords    = "records"           // states of records can be read
	CheckPauses     = "pauses"            // pauses have a known reason
	CheckMappings   = "mappings"          // what mappings and routes remember can be read and is of something
)

// The advices that several checks share.
const (
	AdviceRestore = "stop sluice, keep a copy of the ledger, restore the newest backup, and ask the sender for a full sync"
	AdviceReport  = "keep a copy of the ledger and report this as a bug"
)
