package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Phase is one act of the script.
type Phase string

// The phases.
const (
	// PhaseInitial is the first sync: every record as CREATE, parents first.
	PhaseInitial Phase = "initial"
	// PhaseIncremental is a few auto syncs: new records and partial updates.
	PhaseIncremental Phase = "incremental"
	// PhaseFull resends every record as UPDATE, then sends DELETEs, then
	// revives some of what it deleted.
	PhaseFull Phase = "full"
)

// Phases lists every phase in the order of a company's life.
var Phases = []Phase{PhaseInitial, PhaseIncremental, PhaseFull}

// Fault is a way in which deliveries go wrong without changing the final state.
type Fault string

// The faults.
const (
	FaultDuplicates Fault = "duplicates" // an acknowledged body is sent again
	FaultReorder    Fault = "reorder"    // bodies are shuffled within a window
	FaultLate       Fault = "late"       // an answer counts as timed out: the body comes again later
	FaultBursts     Fault = "bursts"     // bodies come in floods with silence between them
)

// Faults lists every fault.
var Faults = []Fault{FaultDuplicates, FaultReorder, FaultLate, FaultBursts}

// Generation is a shape of webhook bodies.
type Generation string

// The generations, oldest first.
const (
	V2  Generation = "v2"  // one record per body, no webhook_type, a date without time
	V3A Generation = "v3a" // an array of records, no event id
	V3B Generation = "v3b" // an array of records with event, job and sync ids
)

// Generations lists every generation.
var Generations = []Generation{V2, V3A, V3B}

// Options of a sandbox. The zero value of a field means its default.
type Options struct {
	// Seed decides everything that is generated: equal options make equal
	// bodies, byte for byte.
	Seed uint64
	// Companies is the number of companies, default 1.
	Companies int
	// Records is the number of records per company after the initial sync,
	// default 500 and at least 60. The incremental phase adds a few percent.
	Records int
	// Phases to play, default all. A phase may be listed again.
	Phases []Phase
	// Generations to mix, default v3b alone. Bodies of v2 have only a date, so
	// v2 is used only for records that get a single webhook.
	Generations []Generation
	// RecordsPerWebhook bounds the length of data, default 1 to 10.
	RecordsPerWebhook Range
	// Start is the creation time of the first webhook, default a fixed moment
	// in the past, so that bodies repeat.
	Start time.Time

	// Faults to play, default none.
	Faults []Fault
	// Rate is the number of events per second, default as fast as it goes.
	Rate float64
	// Concurrency is the number of connections, default 16.
	Concurrency int
	// Retries after the first attempt, default 3; negative means none.
	Retries int
	// RetryBase is the wait before the first retry, default 1 s; it doubles.
	RetryBase time.Duration
	// Timeout of one attempt, default 10 s.
	Timeout time.Duration
	// Observe, if set, is told of every answered or failed attempt, one at a
	// time and in the order in which answers came.
	Observe func(Attempt)
}

// Range is a closed range of sizes.
type Range struct{ Min, Max int }

const minRecords = 60

func (o Options) withDefaults() Options {
	o.Companies = max(o.Companies, 1)
	if o.Records == 0 {
		o.Records = 500
	}
	o.Records = max(o.Records, minRecords)
	if len(o.Phases) == 0 {
		o.Phases = Phases
	}
	if len(o.Generations) == 0 {
		o.Generations = []Generation{V3B}
	}
	if o.RecordsPerWebhook.Max == 0 {
		o.RecordsPerWebhook.Max = max(10, o.RecordsPerWebhook.Min)
	}
	o.RecordsPerWebhook.Min = max(o.RecordsPerWebhook.Min, 1)
	o.RecordsPerWebhook.Max = max(o.RecordsPerWebhook.Max, o.RecordsPerWebhook.Min)
	if o.Start.IsZero() {
		o.Start = time.Date(2025, time.March, 3, 6, 0, 0, 0, time.UTC)
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 16
	}
	switch {
	case o.Retries == 0:
		o.Retries = 3
	case o.Retries < 0:
		o.Retries = 0
	}
	if o.RetryBase <= 0 {
		o.RetryBase = time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	return o
}

func (o Options) has(f Fault) bool { return slices.Contains(o.Faults, f) }

// ParsePhases reads names such as "initial", "full".
func ParsePhases(names []string) ([]Phase, error) { return parse("phase", names, Phases) }

// ParseFaults reads names such as "late"; "all" means every fault, "none" none.
func ParseFaults(names []string) ([]Fault, error) {
	switch {
	case slices.Equal(names, []string{"all"}):
		return Faults, nil
	case slices.Equal(names, []string{"none"}):
		return nil, nil
	}
	return parse("fault", names, Faults)
}

// ParseGenerations reads names such as "v3b".
func ParseGenerations(names []string) ([]Generation, error) {
	return parse("generation", names, Generations)
}

func parse[T ~string](what string, names []string, known []T) ([]T, error) {
	var out []T
	for _, name := range names {
		v := T(strings.TrimSpace(name))
		if !slices.Contains(known, v) {
			return nil, fmt.Errorf("unknown %s %q: use one of %v", what, name, known)
		}
		out = append(out, v)
	}
	return out, nil
}
