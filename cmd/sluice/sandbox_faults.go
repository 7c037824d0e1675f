package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/fake/mishap"
)

// faultFlags are the flags of fakes that destinations write to.
type faultFlags struct {
	known   []string
	faults  []string
	every   int
	refuse  []string
	latency time.Duration
}

func (f *faultFlags) register(cmd *cobra.Command, known []string) {
	f.known = known
	flags := cmd.Flags()
	flags.StringSliceVar(&f.faults, "faults", []string{"none"}, "faults to play, in turn: "+strings.Join(known, ", ")+"; or all, none")
	flags.IntVar(&f.every, "fault-every", mishap.DefaultEvery, "calls from one fault to the next")
	flags.StringArrayVar(&f.refuse, "refuse", nil, "key of a record that is refused for good; may be given again")
	flags.DurationVar(&f.latency, "latency", 0, "how long a call takes")
}

func (f *faultFlags) parse() ([]string, error) {
	names, err := mishap.Parse(f.faults, f.known)
	switch {
	case err != nil:
		return nil, &usageError{fmt.Errorf("--faults: %w", err)}
	case f.every < 2:
		// A client that only meets faults can do nothing right.
		return nil, &usageError{fmt.Errorf("--fault-every: must be at least 2")}
	}
	return names, nil
}
