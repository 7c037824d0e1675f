package sandbox

import (
	"slices"
	"time"
)

// Attempt is one POST of one event.
type Attempt struct {
	Event     *Event
	Number    int // 1 for the first
	Duplicate bool
	Status    int   // 0 when no answer came
	Err       error // why no answer came
	Took      time.Duration
	// Acknowledged is the number of events with a 2xx answer so far, this one
	// included.
	Acknowledged int
}

// Report tells what a run sent and what became of it.
type Report struct {
	Events       int           `json:"events"`       // distinct webhooks
	Sent         int           `json:"sent"`         // POSTs
	Acknowledged int           `json:"acknowledged"` // webhooks with a 2xx answer
	Retries      int           `json:"retries"`      // POSTs after a failure or a pretended timeout
	Duplicates   int           `json:"duplicates"`   // POSTs of a body that was acknowledged already
	Late         int           `json:"late"`         // answers ignored as if they had timed out
	GaveUp       []Failure     `json:"gave_up"`
	Statuses     map[int]int   `json:"statuses"` // answers by status; 0: none came
	Elapsed      time.Duration `json:"elapsed_ns"`
	Bytes        int64         `json:"bytes"`
	Latency      Latency       `json:"latency"` // of answered POSTs
	Models       []Count       `json:"models"`

	// Acks maps the id of every acknowledged event to its status.
	Acks map[string]int `json:"-"`
}

// Failure is a webhook that was given up after its last retry.
type Failure struct {
	ID       string `json:"id"`
	Attempts int    `json:"attempts"`
	Status   int    `json:"status"` // of the last answer; 0: none came
	Cause    string `json:"cause,omitempty"`
}

// Latency of the answers.
type Latency struct {
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`
}

// GaveUpIDs lists the events that were given up, for [Sandbox.ExpectedWithout].
func (r *Report) GaveUpIDs() []string {
	ids := make([]string, 0, len(r.GaveUp))
	for _, f := range r.GaveUp {
		ids = append(ids, f.ID)
	}
	return ids
}

func latencyOf(took []time.Duration) Latency {
	if len(took) == 0 {
		return Latency{}
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[(len(took)-1)*percent/100] }
	return Latency{P50: at(50), P99: at(99), Max: took[len(took)-1]}
}
