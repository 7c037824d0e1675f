package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/harness"
	"github.com/sluicehq/sluice/internal/proc"
)

// Main is the command: it returns the exit status. 0 is a run in which nothing
// was wrong, 1 one in which something was, 2 a run that could not be made.
// cluster serves a Temporal that knows nothing of Sluice until ctx ends; the
// program calls itself for it.
func Main(ctx context.Context, args []string, out io.Writer, cluster func(ctx context.Context, dir, address string) error) (int, error) {
	if len(args) == 3 && args[0] == clusterCommand {
		return 1, cluster(ctx, args[1], args[2])
	}
	o := Options{Out: os.Stderr, Servers: 1}
	var root, asJSON string
	var keep bool
	f := flag.NewFlagSet("sluice-chaos", flag.ContinueOnError)
	f.Uint64Var(&o.Seed, "seed", 0, "what follows which events and faults there are; 0: a new one")
	f.DurationVar(&o.Duration, "duration", 10*time.Minute, "how long faults are injected")
	f.DurationVar(&o.Gap, "gap", 1800*time.Millisecond, "time between faults, on average")
	f.Float64Var(&o.Rate, "rate", 40, "events per second")
	f.StringVar(&o.Ledger, "ledger", LedgerSQLite, "sqlite or postgres")
	f.StringVar(&o.Temporal, "temporal", TemporalEmbedded, "embedded or external")
	f.IntVar(&o.Servers, "servers", 1, "servers; more than one with --ledger postgres and --temporal external")
	f.StringVar(&o.Sluice, "sluice", "", "program to test, built with the tag chaos; default: it is built")
	f.StringVar(&o.Dir, "dir", "", "where everything is written; default: a temporary directory, kept when something is wrong")
	f.StringVar(&root, "root", ".", "folder of the sources, to build from")
	f.StringVar(&asJSON, "json", "", "write the report to this file, too")
	f.BoolVar(&keep, "keep", false, "keep the directory in any case")
	if err := f.Parse(args); err != nil {
		return 2, nil // it has said so
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64N(1_000_000)
	}
	if o.Dir == "" {
		var err error
		if o.Dir, err = os.MkdirTemp("", "sluice-chaos-"); err != nil {
			return 2, err
		}
	} else {
		keep = true
	}
	if err := prepare(ctx, &o, root); err != nil {
		return 2, err
	}
	report, err := Run(ctx, o)
	if report != nil {
		report.Print(out)
		if asJSON != "" {
			b, jerr := json.MarshalIndent(report, "", "  ")
			err = errors.Join(err, jerr, os.WriteFile(asJSON, append(b, '\n'), 0o644))
		}
	}
	switch {
	case err != nil:
		return 2, fmt.Errorf("%w (what there is: %s)", err, o.Dir)
	case !report.OK():
		return 1, fmt.Errorf("something is wrong; logs, ledgers and destinations are kept in %s; again with --seed %d", o.Dir, o.Seed)
	case !keep:
		return 0, os.RemoveAll(o.Dir)
	}
	return 0, nil
}

// prepare builds what is missing.
func prepare(ctx context.Context, o *Options, root string) (err error) {
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return err
	}
	if o.Sluice == "" {
		if o.Sluice, err = harness.Build(ctx, root, filepath.Join(o.Dir, "bin"), "chaos"); err != nil {
			return err
		}
	}
	if o.Sluice, err = filepath.Abs(o.Sluice); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o.Cluster = func(dir, address string) *proc.Child {
		return &proc.Child{Program: self, Args: []string{clusterCommand, dir, address}, Log: filepath.Join(dir, "log")}
	}
	return nil
}

// clusterCommand makes this program be a Temporal cluster.
const clusterCommand = "temporal"
