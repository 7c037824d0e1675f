package chaos

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// Report is what a run did and found.
type Report struct {
	Seed     uint64        `json:"seed"`
	Ledger   string        `json:"ledger"`
	Temporal string        `json:"temporal"`
	Servers  int           `json:"servers"`
	Elapsed  time.Duration `json:"elapsed_ns"` // of the faults

	Faults  map[Kind]int `json:"faults"`  // injected
	Skipped map[Kind]int `json:"skipped"` // their target had a fault already

	Events       int            `json:"events"` // distinct
	Requests     int            `json:"requests"`
	Retries      int            `json:"retries"`
	Acknowledged int            `json:"acknowledged"`
	Uncertain    int            `json:"uncertain"` // never acknowledged, and stored all the same
	Dead         int            `json:"dead"`      // deliveries given up, for a reason
	Restarts     int            `json:"restarts"`  // of servers
	Seen         map[string]int `json:"seen"`      // what destinations were told, by destination
	Healed       time.Duration  `json:"healed_ns"` // from the last fault until everything was delivered

	Wrong []Wrong `json:"wrong"` // empty: Sluice kept its word

	mu sync.Mutex
}

// Wrong is something that must not be.
type Wrong struct {
	What   string `json:"what"` // loss, state, regression, ledger, orphan, panic, server, …
	Detail string `json:"detail"`
}

// The kinds of wrongs.
const (
	wrongLoss       = "loss"       // an acknowledged event is gone, or does not end
	wrongState      = "state"      // a destination is not as it must be
	wrongRegression = "regression" // a destination saw an older version after a newer one
	wrongDead       = "dead"       // given up without need, or without a reason
	wrongLedger     = "ledger"     // the ledger breaks its own rules
	wrongOrphan     = "orphan"     // a process is left
	wrongPanic      = "panic"      // in a log
	wrongServer     = "server"     // it ended by itself, or did not end when told
	wrongDriver     = "driver"     // the run itself failed
)

func newReport(o *Options) *Report {
	return &Report{
		Seed: o.Seed, Ledger: o.Ledger, Temporal: o.Temporal, Servers: o.Servers,
		Faults: make(map[Kind]int), Skipped: make(map[Kind]int), Seen: make(map[string]int), Wrong: []Wrong{},
	}
}

// OK reports whether nothing is wrong.
func (r *Report) OK() bool { return len(r.Wrong) == 0 }

func (r *Report) fail(what, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Wrong = append(r.Wrong, Wrong{what, fmt.Sprintf(format, args...)})
}

func (r *Report) inject(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Faults[f.Kind]++
}

func (r *Report) skip(k Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Skipped[k]++
}

func (r *Report) injected() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.Faults {
		n += k
	}
	return n
}

func (r *Report) sent(s sandbox.Report) {
	r.Events, r.Requests, r.Retries, r.Acknowledged = s.Events, s.Sent, s.Retries, s.Acknowledged
}

// Print shows the report to people.
func (r *Report) Print(w io.Writer) {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintf(t, "\nseed %d, ledger %s, temporal %s, servers %d\n\n", r.Seed, r.Ledger, r.Temporal, r.Servers)
	fmt.Fprintln(t, "FAULT\tINJECTED\tSKIPPED")
	kinds := slices.Collect(maps.Keys(r.Faults))
	for k := range r.Skipped {
		if r.Faults[k] == 0 {
			kinds = append(kinds, k)
		}
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return cmp.Or(r.Faults[b]-r.Faults[a], cmp.Compare(a, b)) })
	for _, k := range kinds {
		fmt.Fprintf(t, "%s\t%d\t%d\n", k, r.Faults[k], r.Skipped[k])
	}
	fmt.Fprintf(t, "all\t%d\tin %v\n\n", r.injected(), r.Elapsed.Round(time.Second))
	fmt.Fprintf(t, "events\t%d, acknowledged %d, stored without an answer %d\n", r.Events, r.Acknowledged, r.Uncertain)
	fmt.Fprintf(t, "requests\t%d, retries %d\n", r.Requests, r.Retries)
	fmt.Fprintf(t, "servers\tstarted again %d times\n", r.Restarts)
	fmt.Fprintf(t, "deliveries\tgiven up for a reason %d\n", r.Dead)
	for _, d := range slices.Sorted(maps.Keys(r.Seen)) {
		fmt.Fprintf(t, "  %s\tsaw %d changes\n", d, r.Seen[d])
	}
	fmt.Fprintf(t, "healed\t%v after the last fault\n\n", r.Healed.Round(100*time.Millisecond))
	_ = t.Flush() // an error of w shows at its next write
	for _, x := range r.Wrong {
		fmt.Fprintf(w, "WRONG: %s: %s\n", x.What, x.Detail)
	}
	if r.OK() {
		fmt.Fprintln(w, "ok: everything that was acknowledged arrived, and nothing else")
	} else {
		fmt.Fprintf(w, "%d things are wrong\n", len(r.Wrong))
	}
}
