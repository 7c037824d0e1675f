// Package chaos runs Sluice while everything around it goes wrong, and then
// looks whether it kept its word. A driver plays RootFi, injects faults that
// follow from a seed, lets all of it heal, and holds the destinations to what
// was acknowledged, by its own account and not by Sluice's.
//
// Two runs with one seed have the same events and the same faults in the same
// order. What each fault hits depends on the moment, so a run is repeated in its
// pressure and not to the byte.
//
// The driver knows of Sluice what its users know: the command, the
// configuration, the admin API. The server under test is built with the tag
// chaos, for crash points and a clock that jumps (package fault).
package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/proc"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// The ledgers and Temporals of a run.
const (
	LedgerSQLite     = "sqlite"
	LedgerPostgres   = "postgres"
	TemporalEmbedded = "embedded"
	TemporalExternal = "external"
)

// Options of a run.
type Options struct {
	Seed     uint64
	Duration time.Duration // of the faults; before and after it everything is well
	Gap      time.Duration // between faults, on average
	Rate     float64       // events per second
	Kinds    []Kind        // nil: all that the run can have

	Ledger   string // LedgerSQLite or LedgerPostgres
	Temporal string // TemporalEmbedded or TemporalExternal
	Servers  int    // more than one share a PostgreSQL ledger

	Sluice string // the program, built with the tag chaos; plugins are beside it
	Dir    string // exists; everything is written here
	// Cluster makes a Temporal server in a process of its own, for
	// TemporalExternal.
	Cluster func(dir, address string) *proc.Child
	Out     io.Writer // progress, for people
}

func (o *Options) validate() error {
	switch {
	case o.Ledger != LedgerSQLite && o.Ledger != LedgerPostgres:
		return fmt.Errorf("ledger: use %s or %s, not %q", LedgerSQLite, LedgerPostgres, o.Ledger)
	case o.Temporal != TemporalEmbedded && o.Temporal != TemporalExternal:
		return fmt.Errorf("temporal: use %s or %s, not %q", TemporalEmbedded, TemporalExternal, o.Temporal)
	case o.Servers < 1:
		return errors.New("servers: at least one")
	case o.Servers > 1 && (o.Ledger != LedgerPostgres || o.Temporal != TemporalExternal):
		return errors.New("servers: several need a ledger on PostgreSQL and an external Temporal")
	}
	return nil
}

// healTime is how long everything may take to be delivered after the last fault.
const healTime = 5 * time.Minute

// Run makes a run and returns its report. An error means that the run could not
// be made; what Sluice did wrong is in the report.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	journal, err := os.Create(filepath.Join(o.Dir, "chaos.log"))
	if err != nil {
		return nil, err
	}
	defer journal.Close()
	w := &world{
		o: o, report: newReport(&o), busy: make(map[string]bool),
		log: slog.New(slog.NewTextHandler(io.MultiWriter(journal, o.Out), nil)),
	}
	defer func() { err = errors.Join(err, w.tearDown()) }()
	if err := w.setUp(ctx); err != nil {
		return nil, err
	}
	if w.cluster != nil {
		keeping, stop := context.WithCancel(ctx)
		var keeper sync.WaitGroup
		keeper.Go(func() { w.keepCluster(keeping) })
		defer keeper.Wait()
		defer stop()
	}
	sb := sandbox.New(w.script())
	w.log.Info("everything is well, the faults begin", "seed", o.Seed, "kinds", fmt.Sprint(w.kinds))
	sent, err := w.ordeal(ctx, sb)
	if err != nil {
		return w.report, err
	}
	w.verify(ctx, sb, sent)
	return w.report, ctx.Err()
}

// script describes companies whose life is longer than the run.
func (w *world) script() sandbox.Options {
	o := sandbox.Options{
		Seed: w.o.Seed, Companies: 3, Records: 300, Faults: sandbox.Faults, Rate: w.o.Rate, Concurrency: 24,
		Generations: sandbox.Generations, Retries: 4, RetryBase: 300 * time.Millisecond, Observe: w.observe,
	}
	lives := 0
	for range sandbox.New(o).Events(sandbox.PhaseFull) {
		lives++
	}
	need := int(w.o.Rate*(w.o.Duration+10*time.Second).Seconds())*5/4 + 1
	for n := 0; n < need; n += lives {
		o.Phases = append(o.Phases, sandbox.PhaseIncremental, sandbox.PhaseFull)
	}
	o.Phases = append([]sandbox.Phase{sandbox.PhaseInitial}, o.Phases...)
	return o
}

// ordeal sends events and injects faults until the duration is over, and lets
// everything heal.
func (w *world) ordeal(ctx context.Context, sb *sandbox.Sandbox) (sent sandbox.Report, err error) {
	sending, stopSending := context.WithCancel(ctx)
	defer stopSending()
	var sender sync.WaitGroup
	sender.Go(func() {
		sent, err = sb.Play(sending, w.target())
		if errors.Is(err, context.Canceled) {
			err = nil
		}
	})
	faults, stopFaults := context.WithTimeout(ctx, w.o.Duration)
	defer stopFaults()
	began := time.Now()
	w.inject(faults)
	w.report.Elapsed = time.Since(began)
	w.log.Info("the faults are over, everything heals", "faults", w.report.injected())
	stopSending()
	sender.Wait()
	w.report.sent(sent)
	return sent, errors.Join(err, ctx.Err())
}

// inject follows the plan until ctx ends, and returns when what it injected is
// over.
func (w *world) inject(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for f := range Plan(w.o.Seed, Profile{Servers: w.o.Servers, Kinds: w.kinds, Gap: w.o.Gap}) {
		if !sleep(ctx, f.After) {
			return
		}
		target := w.hits(f)
		if !w.take(target) {
			w.report.skip(f.Kind)
			continue
		}
		w.log.Info("fault", "fault", f.String())
		running.Go(func() {
			defer w.give(target)
			if err := w.strike(ctx, f); err != nil {
				w.report.fail("driver", "fault %v: %v", f, err)
				return
			}
			w.report.inject(f)
		})
	}
}

// sleep reports whether the whole time passed.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
