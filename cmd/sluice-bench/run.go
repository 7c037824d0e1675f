package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluicehq/sluice/internal/bench"
)

// errUsage is a wrong use of the command line that was printed already.
var errUsage = errors.New("wrong usage")

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("sluice-bench", flag.ContinueOnError)
	o := bench.Options{Out: os.Stdout, Command: strings.Join(append([]string{"sluice-bench"}, args...), " ")}
	f.StringVar(&o.Sluice, "sluice", "bin/sluice", "`path` of the program to measure; its plugins are in a folder plugins beside it")
	f.StringVar(&o.Slim, "slim", "", "`path` of the program built with -tags slim, whose memory is measured too")
	f.StringVar(&o.Root, "root", ".", "`folder` of the sources, for the commit")
	f.BoolVar(&o.Quick, "quick", false, "small loads: checks in seconds that everything works, and measures nothing worth keeping")
	f.StringVar(&o.Ledger, "ledger", "sqlite", "`kind` of ledger: sqlite, or postgres in a database beside the destination's")
	f.StringVar(&o.Temporal, "temporal", "embedded", "embedded, or the `address` of a cluster")
	only := f.String("run", "", "scenarios, separated by commas: "+strings.Join(bench.Names(), ", ")+" (default all)")
	file := f.String("json", "", "`file` for the results; those of other scenarios stay in it")
	plots := f.String("plots", "", "`folder` for plots of all results that the file has")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return errUsage
	}
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("unknown argument %q", f.Arg(0))
	case o.Ledger != "sqlite" && o.Ledger != "postgres":
		return fmt.Errorf("--ledger is sqlite or postgres, not %q", o.Ledger)
	}
	if *only != "" {
		o.Scenarios = strings.Split(*only, ",")
	}
	results, err := bench.Run(ctx, o)
	if results == nil {
		return err
	}
	// What was measured before an error is kept.
	return errors.Join(err, keep(results, *file, *plots))
}

func keep(fresh *bench.Results, file, plots string) error {
	all := fresh
	if file != "" {
		var err error
		if all, err = bench.Update(file, fresh); err != nil {
			return err
		}
	}
	if plots == "" {
		return nil
	}
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return err
	}
	return bench.Plot(all, plots)
}

// report puts results and plots into the page beside their folder.
func report(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: sluice-bench report docs/benchmarks/results.json")
	}
	results, err := bench.Read(args[0])
	if err != nil {
		return err
	}
	dir := filepath.Dir(args[0])
	page := dir + ".md"
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	out, err := bench.Report(string(text), results)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	if err := bench.Plot(results, dir); err != nil {
		return err
	}
	return os.WriteFile(page, []byte(out), 0o644)
}
