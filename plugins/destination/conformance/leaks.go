package conformance

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// secretText stands for the contents of a record.
const secretText = "c0ntents-0f-a-rec0rd"

// batch is of a mode that the destination takes.
func (s *suite) batch(list ...destination.Record) destination.Batch {
	takes := func(c destination.Capability) bool { return slices.Contains(s.description.Capabilities, c) }
	if takes(destination.CapabilityRecords) {
		return records(list...)
	}
	for i := range list {
		list[i].Operation = destination.Append
	}
	if takes(destination.CapabilityChanges) {
		return changes(list...)
	}
	return events(list...)
}

func logContents(t T, s *suite) {
	d := s.start(t)
	p, ok := d.Destination.(Process)
	if !ok {
		s.notRun("it does not run in a process of its own, so its log is not seen")
		return
	}
	bad := put("x-"+secretText, 1, `{"memo":"`+secretText+`","amount":12}`)
	bad.Operation = "frobnicate"
	for _, batch := range []destination.Batch{
		s.batch(put("a-"+secretText, 1, `{"memo":"`+secretText+`","lines":["`+secretText+`"]}`)),
		s.batch(put("b-"+secretText, 1, `{"memo":"`+secretText+`","amount":"`+secretText+`","due_at":"`+secretText+`"}`)),
		s.batch(bad),
	} {
		_, _ = d.Write(t.Context(), batch) // whatever comes of it
	}
	d.close(t)
	if strings.Contains(p.Log(), secretText) {
		t.Error("contents of records are in the log")
	}
	for _, secret := range s.secretsOf(t, s.settings) {
		if strings.Contains(p.Log(), secret) {
			t.Error("a secret of the settings is in the log")
		}
	}
}

// A life after the other must not gather anything, nor a write after the other.
func leaks(t T, s *suite) {
	d := s.start(t)
	p, ok := d.Destination.(Process)
	if !ok {
		d.close(t)
		s.goroutines(t)
		return
	}
	const warm, more, slack = 5, 30, 8
	n := 0
	life := func(times int) {
		for range times {
			n++
			_, _ = d.Write(t.Context(), s.batch(put(fmt.Sprint("l", n), 1, `{"memo":"m"}`)))
		}
	}
	life(warm)
	before, seen := handles(p.PID())
	if !seen {
		s.notRun("this system does not show the handles of a process")
		return
	}
	life(more)
	if after, _ := handles(p.PID()); after > before+slack {
		t.Errorf("%d writes left %d handles open", more, after-before)
	}
	family := descendants(p.PID())
	d.close(t)
	for pid, started := range family {
		if pid != os.Getpid() && born(pid) == started { // its own id is given by a stand-in for a process
			t.Errorf("process %d is left after the stop", pid)
		}
	}
}

// goroutines finds those of a life that outlive it: whatever the destination
// starts inherits the label.
func (s *suite) goroutines(t T) {
	label := fmt.Sprintf("life-%p", s)
	pprof.Do(t.Context(), pprof.Labels("conformance", label), func(ctx context.Context) {
		d := s.open(t)
		if err := d.Configure(ctx, s.settings); err != nil {
			t.Errorf("configure: %v", err)
			return
		}
		_, _ = d.Write(ctx, s.batch(put("a", 1, `{"memo":"m"}`)))
		d.close(t)
	})
	deadline := time.After(5 * time.Second)
	for {
		left := labelled(label)
		if left == "" {
			return
		}
		select {
		case <-deadline:
			t.Errorf("goroutines are left after Close (does the destination have one?):\n%s", left)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// labelled returns the stacks of the goroutines with the label.
func labelled(label string) string {
	var all strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		return err.Error()
	}
	var found []string
	for stack := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(stack, `"conformance":"`+label+`"`) {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}
