// Package fault is where the chaos suite takes hold of a server: points at which
// it can be made to die, and a clock that can jump. In every build but that with
// the tag chaos the points do nothing and the clock is the system's.
package fault

// The points at which a server can be killed. They are named in the plan of a
// run.
const (
	BeforeCommit  = "before-commit"  // of a group, in the ledger
	AfterCommit   = "after-commit"   // of a group, before anybody is answered
	AfterWrite    = "after-write"    // at the destination, before it is booked
	AfterWorkflow = "after-workflow" // is started, before that is known
)

// Points lists them all.
var Points = []string{BeforeCommit, AfterCommit, AfterWrite, AfterWorkflow}

// The environment of a server that is built with the tag chaos.
const (
	EnvCrash = "SLUICE_CHAOS_CRASH" // POINT:N: die at the nth passage of the point
	EnvClock = "SLUICE_CHAOS_CLOCK" // a file that holds by how many seconds the clock is off
)
