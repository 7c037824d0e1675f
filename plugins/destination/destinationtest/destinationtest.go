// Package destinationtest runs the contract of package destination, which is in
// package conformance, under go test. Every shipped plugin passes it in process
// and as a child process; authors of other plugins run it the same way:
//
//	func TestConformance(t *testing.T) { destinationtest.Run(t, harness{}) }
//
// A [Recorder] keeps what came out in a file beside the test, from which the
// documentation is made.
package destinationtest

import (
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
)

// Harness is what the suite needs to know of a destination. It may have more
// abilities: see [WrongCredentials] and [Faults].
type Harness interface {
	// New returns a destination that is not configured yet. The suite closes it
	// if it is an io.Closer. If it is a conformance.Process, as what hosttest.Open
	// returns, crashes, logs and leaks are tested too.
	New(t *testing.T) destination.Destination

	// Settings returns settings for a place that is new and empty.
	Settings(t *testing.T) json.RawMessage

	// Rows reads back what the place of settings holds of an object, without the
	// help of the destination: for ModeRecords one row per record, for the other
	// modes one per change or event. A row has the key fields and the fields by
	// name, as text: strings as they are, other values in any usual form of
	// their type. A field that is null is left out. A row that was deleted but
	// kept has a _deleted_at. No place for the object yet means no rows.
	Rows(t *testing.T, settings json.RawMessage, object string) []map[string]string

	// Lacks gives a reason for each case, by name, that the destination cannot
	// pass. It is logged instead of tested.
	Lacks() map[string]string
}

// WrongCredentials is a Harness that knows settings which are right but for the
// credentials.
type WrongCredentials interface {
	WrongCredentials(t *testing.T, settings json.RawMessage) json.RawMessage
}

// Faults is a Harness that can make the system behind the destination misbehave.
type Faults interface {
	// Fault makes the system of settings misbehave from now on, instead of what
	// it was told before. It returns false for what it cannot do.
	Fault(t *testing.T, settings json.RawMessage, f conformance.Fault) bool
}

// Run tests a destination. It runs one subtest per case.
func Run(t *testing.T, h Harness) {
	t.Helper()
	run(t, h)
}

func run(t *testing.T, h Harness) *conformance.Report {
	t.Helper()
	lacks := h.Lacks()
	if err := conformance.CheckLacks(lacks); err != nil {
		t.Error(err)
	}
	first := h.New(t)
	d, err := first.Describe(t.Context())
	if closer, ok := first.(io.Closer); ok {
		err = errors.Join(err, closer.Close())
	}
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	report := conformance.NewReport(d)
	for _, c := range conformance.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			var o conformance.Outcome
			t.Cleanup(func() { // after all others, which may fail too
				if t.Failed() {
					o.Result = conformance.Failed
				}
				report.Cases = append(report.Cases, o)
			})
			c.Run(t, subject(t, h, lacks), d, &o)
			switch o.Result {
			case conformance.Lacks:
				t.Attr("lacks", c.Name)
				t.Logf("not tested, the destination lacks it: %s", o.Note)
			case conformance.NotRun:
				t.Logf("not tested: %s", o.Note)
			}
		})
	}
	return report
}

// subject lets the harness see the test of the case.
func subject(t *testing.T, h Harness, lacks map[string]string) conformance.Subject {
	s := conformance.Subject{
		New:      func(conformance.T) destination.Destination { return h.New(t) },
		Settings: func(conformance.T) json.RawMessage { return h.Settings(t) },
		Rows: func(_ conformance.T, settings json.RawMessage, object string) []map[string]string {
			return h.Rows(t, settings, object)
		},
		Lacks: lacks,
	}
	if w, ok := h.(WrongCredentials); ok {
		s.WrongCredentials = func(_ conformance.T, settings json.RawMessage) json.RawMessage {
			return w.WrongCredentials(t, settings)
		}
	}
	if f, ok := h.(Faults); ok {
		s.Fault = func(_ conformance.T, settings json.RawMessage, fault conformance.Fault) bool {
			return f.Fault(t, settings, fault)
		}
	}
	return s
}
