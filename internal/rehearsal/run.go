package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/event"
)

// Result is what became of one test.
type Result struct {
	Suite    string        `json:"suite"`
	Test     string        `json:"test"`
	Failures []string      `json:"failures,omitempty"`
	Took     time.Duration `json:"-"`

	got      []Delivery
	unrouted int
}

// Passed reports whether nothing failed.
func (r *Result) Passed() bool { return len(r.Failures) == 0 }

// firstReceived is when the first event of a test comes: tests do not depend on
// the day they run.
var firstReceived = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Run runs all tests of a suite.
func (r *Rehearsal) Run(ctx context.Context, s *Suite) []Result {
	var out []Result
	names := make(map[string]bool)
	for _, t := range s.Tests {
		began := time.Now()
		got := Result{Suite: s.Name, Test: t.Name}
		deliveries, unrouted, err := r.run(ctx, s, &t)
		got.got, got.unrouted = deliveries, unrouted
		switch {
		case names[t.Name]:
			got.Failures = []string{"another test of this file has the same name"}
		case err != nil:
			got.Failures = []string{err.Error()}
		case t.Deliveries == nil:
			got.Failures = []string{"says nothing of deliveries: write them, an empty list for none, or run with --update"}
		default:
			got.Failures = compare(t.Deliveries, deliveries)
			if unrouted != t.Unrouted {
				got.Failures = append(got.Failures, fmt.Sprintf("unrouted: want %d events, got %d", t.Unrouted, unrouted))
			}
		}
		names[t.Name] = true
		got.Took = time.Since(began)
		out = append(out, got)
	}
	return out
}

func (r *Rehearsal) run(ctx context.Context, s *Suite, t *Test) ([]Delivery, int, error) {
	on := r.start()
	for i := range t.Records {
		rec, err := r.record(&t.Records[i])
		if err != nil {
			return nil, 0, fmt.Errorf("records[%d]: %w", i, err)
		}
		on.Put(rec, slices.Collect(maps.Keys(r.conf.Destinations))...)
	}
	var batches [][]event.Event
	at := firstReceived
	for i, step := range t.Events {
		ev, err := r.event(s, step, at)
		if err != nil {
			return nil, 0, fmt.Errorf("events[%d]: %w", i, err)
		}
		at = ev.ReceivedAt.Add(time.Second)
		if t.Together && len(batches) > 0 {
			batches[0] = append(batches[0], ev)
		} else {
			batches = append(batches, []event.Event{ev})
		}
	}
	var out []Delivery
	unrouted := 0
	for _, batch := range batches {
		got, n, err := on.Apply(ctx, batch...)
		if err != nil {
			return nil, 0, err
		}
		unrouted += n
		for _, d := range got {
			out = append(out, deliveryOf(d))
		}
	}
	waiting, err := on.Waiting(ctx)
	for _, d := range waiting {
		out = append(out, deliveryOf(d))
	}
	return out, unrouted, err
}

func (r *Rehearsal) event(s *Suite, step Step, at time.Time) (event.Event, error) {
	if step.Received != "" {
		given, err := time.Parse(time.RFC3339, step.Received)
		if err != nil {
			return event.Event{}, fmt.Errorf("received: write a moment such as %s", firstReceived.Format(time.RFC3339))
		}
		at = given
	}
	var body []byte
	var err error
	switch {
	case step.Body != nil && step.File == "":
		body, err = config.JSON(step.Body)
	case step.Body == nil && step.File != "":
		name := step.File
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(s.Name), name)
		}
		body, err = readBody(name)
	default:
		err = errors.New("give either body or file")
	}
	if err != nil {
		return event.Event{}, err
	}
	return r.parse(step.Source, body, at)
}

// readBody reads a file that is one: a pipe could keep us waiting.
func readBody(name string) ([]byte, error) {
	switch info, err := os.Stat(name); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", name)
	case info.Size() > maxBody:
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxBody)
	}
	return os.ReadFile(name)
}

// record makes the state of a record that no event of the test is older than.
func (r *Rehearsal) record(s *State) (*event.Record, error) {
	source, err := r.Source(s.Source)
	if err != nil {
		return nil, err
	}
	key := event.RecordKey{Source: source, CompanyID: s.Company, Integration: s.Integration, Model: s.Model, PlatformID: s.PlatformID}
	fields := make(map[string]json.RawMessage, len(s.Fields))
	for name, v := range s.Fields {
		raw, err := config.JSON(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fields[name] = raw
	}
	return StateOf(key, int64(s.Version), fields, false)
}

// StateOf makes a record of what is known of it: its fields, older than any event.
func StateOf(key event.RecordKey, version int64, fields map[string]json.RawMessage, deleted bool) (*event.Record, error) {
	stamp := event.Stamp{At: 1}
	rec := &event.Record{Key: key, Version: version, Fields: make(map[string]event.Field, len(fields)), Written: stamp}
	for name, raw := range fields {
		value, err := event.Canonical(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		rec.Fields[name] = event.Field{Value: value, Stamp: stamp, Version: version}
	}
	if deleted {
		rec.Tombstone = event.Stamp{At: 2}
	}
	return rec, nil
}
