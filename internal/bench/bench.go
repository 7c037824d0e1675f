// Package bench measures Sluice from outside, as its users run it: binaries in
// processes of their own, a PostgreSQL with durable settings, webhooks over HTTP.
// What was delivered is counted at the destination, never taken from Sluice's own
// metrics. The generator shares the machine; what every part used of it is in
// the results. Scenarios judge nothing but correctness: a missed target is shown,
// a lost or invented record is an error.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/pgserver"
)

const embedded = "embedded"

// Options are what a run needs.
type Options struct {
	Sluice    string   // path of the program; plugins are beside it
	Slim      string   // path of the program without embedded Temporal; empty: not measured
	Root      string   // folder of the sources, for the commit
	Scenarios []string // names; empty: all
	Quick     bool     // seconds instead of minutes: checks that the scenarios work, measures nothing worth keeping
	Ledger    string   // sqlite or postgres
	Temporal  string   // embedded, or the address of a cluster
	Command   string   // as it was typed, for the results
	Out       io.Writer
}

// bench is one run.
type bench struct {
	o       Options
	dir     string
	plugins string
	pg      *pgserver.Server
	rigs    int
}

// scenario is one thing to measure.
type scenario struct {
	name, title, what string
	run               func(b *bench, ctx context.Context, to *Result) error
}

// scenarios in the order of the tables.
var scenarios = []scenario{
	{"accept", "Accept", "Closed loop: each connection sends the next webhook of one KB when the last one was answered. " +
		"*Alone* is with Temporal away, so that nothing but accepting happens; *baseline* is a handler in a process of its own " +
		"that reads the body and answers.", (*bench).accept},
	{"rates", "Latency at fixed rates", "Open loop: webhooks of one KB with one record leave at fixed moments, and latency counts from " +
		"the planned moment to the moment at which the row is visible in PostgreSQL.", (*bench).rates},
	{"sustained", "Sustained throughput", "Closed loop over the whole way: a bounded number of records is acknowledged and not yet visible " +
		"in PostgreSQL, so the backlog cannot grow. Rows are counted there.", (*bench).sustained},
	{"burst", "Burst", "One-record webhooks of one KB as fast as they are accepted, until all are visible in PostgreSQL.", (*bench).burst},
	{"noop", "Full sync without changes", "Every record is sent again with a later time and the same values; nothing may be written to the " +
		"destination.", (*bench).noop},
	{"memory", "Memory", "Resident memory of an idle server after it has delivered one record. Under load: see *peak memory sluice* of the " +
		"other scenarios.", (*bench).memory},
	{"growth", "Disk", "Bytes per delivered webhook of one KB, after the server has stopped.", (*bench).growth},
	{"isolation", "Isolation", "Throughput into PostgreSQL at a fixed rate, alone, and with every record also routed to an HTTP destination that " +
		"accepts connections and never answers, to one that asks to wait for 60 s, and to one whose plugin cannot run.", (*bench).isolation},
}

// Names are the names of the scenarios, in order.
func Names() []string {
	var out []string
	for _, s := range scenarios {
		out = append(out, s.name)
	}
	return out
}

func place(name string) int { return slices.Index(Names(), name) }

// Run runs the scenarios and writes a table per scenario as it goes. What was
// measured before an error is returned with it.
func Run(ctx context.Context, o Options) (_ *Results, err error) {
	for _, name := range o.Scenarios {
		if place(name) < 0 {
			return nil, fmt.Errorf("there is no scenario %q: known are %s", name, strings.Join(Names(), ", "))
		}
	}
	if _, err := os.Stat(o.Sluice); err != nil {
		return nil, fmt.Errorf("find sluice: %w: build it with make build", err)
	}
	b := &bench{o: o}
	if b.plugins, err = filepath.Abs(filepath.Join(filepath.Dir(o.Sluice), "plugins")); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "sluice-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.pg, err = pgserver.Start(ctx, pgserver.Options{Durable: true}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.pg.Stop()) }()
	version, err := b.pg.Version(ctx)
	if err != nil {
		return nil, err
	}
	out := &Results{Machine: thisMachine(b.dir, version)}
	for _, s := range scenarios {
		if len(o.Scenarios) > 0 && !slices.Contains(o.Scenarios, s.name) {
			continue
		}
		r := Result{
			Scenario: s.name, Date: time.Now().UTC().Truncate(time.Second), Commit: commit(ctx, o.Root), Command: o.Command,
			Setup: fmt.Sprintf("%s ledger, %s Temporal", o.Ledger, b.temporalKind()),
		}
		if err := s.run(b, ctx, &r); err != nil {
			return out, fmt.Errorf("%s: %w", s.name, err)
		}
		if o.Quick {
			r.Metrics = withoutTargets(r.Metrics)
		}
		out.Scenarios = append(out.Scenarios, r)
		if err := Table(o.Out, r); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (b *bench) temporalKind() string {
	if b.o.Temporal == embedded {
		return embedded
	}
	return "external"
}

// withoutTargets is for quick runs, which say nothing of them.
func withoutTargets(all []Metric) []Metric {
	for i := range all {
		all[i].Target = nil
	}
	return all
}

// pick returns the full size of something, or the quick one.
func pick[T any](b *bench, full, quick T) T {
	if b.o.Quick {
		return quick
	}
	return full
}
