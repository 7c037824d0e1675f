// Package conformance is the contract of package destination as cases that run
// anywhere: under go test by way of package destinationtest, and over any binary
// in any language by way of `sluice plugins test`.
//
// It proves what Sluice relies on: that a repeated or late write does no harm,
// that values arrive exactly, that one bad record or setting hurts nothing else,
// and that a destination which asks to wait is understood. It says nothing of
// speed. What a [Subject] cannot show is reported as not seen, never as passed.
package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// T is what a case needs of a test; *testing.T is one.
type T interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Logf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
}

// Subject is a destination under test. New and Settings are required.
type Subject struct {
	// New returns a destination that is not configured yet. The case closes it
	// if it is an io.Closer.
	New func(T) destination.Destination

	// Settings returns settings for a place that is new and empty.
	Settings func(T) json.RawMessage

	// Rows reads back what the place of settings holds of an object, without the
	// help of the destination. Without it a case judges by results only.
	Rows func(t T, settings json.RawMessage, object string) []map[string]string

	// WrongCredentials returns settings whose credentials the system refuses.
	WrongCredentials func(t T, settings json.RawMessage) json.RawMessage

	// Fault makes the system behind the destination misbehave as told, from now
	// on and instead of what it was told before. It returns false for what it
	// cannot do; FaultNone it must be able to do.
	Fault func(t T, settings json.RawMessage, f Fault) bool

	// Lacks gives a reason for each case, by name, that the destination cannot
	// pass by its nature.
	Lacks map[string]string
}

// A Process is a destination that runs in a process of its own. What Subject.New
// returns may be one; crashes, logs and leaks of a process can be seen then.
type Process interface {
	PID() int
	Kill() error // at once, without asking
	Log() string // what it has logged so far, from the level debug on
}

// FaultKind names a way for a destination's system to misbehave.
type FaultKind string

// The faults. They are names in configurations of `sluice plugins test`.
const (
	FaultNone     FaultKind = "none"         // it behaves again
	FaultThrottle FaultKind = "throttle"     // it asks to wait, Fault.RetryAfter long if that is set
	FaultExpiry   FaultKind = "token_expiry" // tokens that it gave out are refused, from the Fault.After-th next call on
	FaultHang     FaultKind = "hang"         // it takes calls and does not answer
	FaultOutage   FaultKind = "outage"       // it fails every call for no fault of the caller
)

// Fault is one way for a destination's system to misbehave.
type Fault struct {
	Kind       FaultKind
	RetryAfter time.Duration
	After      int
}

// suite is one case's view of the destination: its own place.
type suite struct {
	Subject
	description destination.Description
	settings    json.RawMessage
	outcome     *Outcome
}

// note says what was seen, where more than one thing is right.
func (s *suite) note(text string) { s.outcome.Note = text }

// notRun ends a case that has not tested anything.
func (s *suite) notRun(reason string) { s.outcome.Result, s.outcome.Note = NotRun, reason }

// closing makes a destination stop once: at a restart or at the end of the case.
type closing struct {
	destination.Destination
	once sync.Once
}

func (c *closing) close(t T) {
	c.once.Do(func() {
		if closer, ok := c.Destination.(io.Closer); ok {
			if err := closer.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	})
}

func (s *suite) open(t T) *closing {
	t.Helper()
	c := &closing{Destination: s.New(t)}
	t.Cleanup(func() { c.close(t) })
	return c
}

// start returns a destination that is configured for the case's place.
func (s *suite) start(t T) *closing {
	t.Helper()
	d := s.open(t)
	if err := d.Configure(t.Context(), s.settings); err != nil {
		t.Fatalf("configure: %v", err)
	}
	return d
}

// writing bounds a Write that is expected to work.
const writing = time.Minute

// write writes the batch and returns one result per record.
func write(t T, d destination.Destination, b destination.Batch) []destination.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), writing)
	defer cancel()
	results, err := d.Write(ctx, b)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	if len(results) != len(b.Records) {
		t.Fatalf("write: %d results for %d records", len(results), len(b.Records))
	}
	return results
}

// judge is write for a destination in trouble, which may answer with one
// Failure for all records.
func judge(t T, d destination.Destination, b destination.Batch) []destination.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), writing)
	defer cancel()
	results, err := d.Write(ctx, b)
	if err == nil && len(results) != len(b.Records) {
		t.Fatalf("write: %d results for %d records", len(results), len(b.Records))
	}
	if err != nil {
		one := destination.Result{Message: err.Error()}
		if f, ok := errors.AsType[*destination.Failure](err); ok {
			one = destination.Result{Kind: f.Kind, Code: f.Code, Until: f.Until, Message: f.Error()}
		}
		results = nil
		for range b.Records {
			results = append(results, one)
		}
	}
	return results
}

// deliver writes the batch and wants every record delivered.
func deliver(t T, d destination.Destination, b destination.Batch) {
	t.Helper()
	for i, r := range write(t, d, b) {
		if r.Kind != destination.Delivered {
			t.Fatalf("record %d of %d (key %q): %v %s %s", i+1, len(b.Records), b.Records[i].Key, r.Kind, r.Code, r.Message)
		}
	}
}
