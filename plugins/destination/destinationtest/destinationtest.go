// Package destinationtest is the contract of package destination as tests. Every
// shipped plugin passes it in process and as a child process; authors of other
// plugins run it the same way:
//
//	func TestConformance(t *testing.T) { destinationtest.Run(t, harness{}) }
//
// It proves what Sluice relies on: that a repeated or late write does no harm,
// that values arrive exactly, and that one bad record or setting hurts nothing
// else. It says nothing of speed.
package destinationtest

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Harness is what the suite needs to know of a destination.
type Harness interface {
	// New returns a destination that is not configured yet. The suite closes it
	// if it is an io.Closer.
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

	// Lacks gives a reason for each behaviour, by name, that the destination
	// cannot have. It is logged instead of tested.
	Lacks() map[string]string
}

// behaviour is one test of the suite.
type behaviour struct {
	name  string
	needs destination.Capability // "": none
	run   func(*testing.T, *suite)
}

// behaviours in the order of their tests. The names are what Lacks uses.
func behaviours() []behaviour {
	const (
		records = destination.CapabilityRecords
		changes = destination.CapabilityChanges
		events  = destination.CapabilityEvents
	)
	return []behaviour{
		{"describe", "", describe},
		{"bad_settings", "", badSettings},
		{"check", destination.CapabilityCheck, check},
		{"dry_run", destination.CapabilityDryRun, dryRun},
		{"secrets", "", secrets},

		{"upsert", records, upsert},
		{"repeat", records, repeat},
		{"newer_version", records, newerVersion},
		{"older_version", records, olderVersion},
		{"older_version_after_restart", records, olderVersionAfterRestart},
		{"versions_in_one_batch", records, versionsInOneBatch},
		{"changed_fields_of_unknown_record", records, changedFieldsOfUnknownRecord},
		{"different_fields_in_one_batch", records, differentFieldsInOneBatch},
		{"new_fields", records, newFields},
		{"null", records, null},
		{"delete", records, remove},
		{"delete_unknown", records, deleteUnknown},
		{"older_version_after_delete", records, olderVersionAfterDelete},
		{"revive", records, revive},
		{"objects", records, objects},

		{"text", records, text},
		{"empty_text", records, emptyText},
		{"integers", records, integers},
		{"decimals", records, decimals},
		{"booleans", records, booleans},
		{"timestamps", records, timestamps},
		{"json", records, nested},
		{"untyped", records, untyped},
		{"large", records, large},
		{"awkward_keys", records, awkwardKeys},

		{"bad_record", records, badRecord},
		{"unknown_operation", records, unknownOperation},
		{"batch_at_limit", records, batchAtLimit},
		{"concurrent", records, concurrent},
		{"cancel", records, cancelled},

		{"changes", changes, appendChanges},
		{"changes_repeat", changes, appendChangesAgain},
		{"events", events, appendEvents},
		{"events_repeat", events, appendEventsAgain},
	}
}

// Run tests a destination. It runs one subtest per behaviour.
func Run(t *testing.T, h Harness) {
	t.Helper()
	all := behaviours()
	lacks := h.Lacks()
	for name := range maps.Keys(lacks) {
		if !slices.ContainsFunc(all, func(b behaviour) bool { return b.name == name }) {
			t.Errorf("Lacks names %q, which is no behaviour of the suite", name)
		}
	}
	d, err := open(t, h).Describe(t.Context())
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	for _, b := range all {
		t.Run(b.name, func(t *testing.T) {
			switch reason, lacking := lacks[b.name]; {
			case lacking && strings.TrimSpace(reason) == "":
				t.Error("Lacks gives no reason")
			case lacking:
				t.Attr("lacks", b.name)
				t.Logf("not tested, the destination lacks it: %s", reason)
			case b.needs != "" && !slices.Contains(d.Capabilities, b.needs):
				t.Logf("not tested: no capability %q", b.needs)
			default:
				b.run(t, &suite{harness: h, description: d, settings: h.Settings(t)})
			}
		})
	}
}

// suite is one behaviour's view of the destination: its own place.
type suite struct {
	harness     Harness
	description destination.Description
	settings    json.RawMessage
}

// closing makes a destination stop once: at a restart or at the end of the test.
type closing struct {
	destination.Destination
	once sync.Once
}

func (c *closing) close(t *testing.T) {
	c.once.Do(func() {
		if closer, ok := c.Destination.(io.Closer); ok {
			if err := closer.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	})
}

func open(t *testing.T, h Harness) *closing {
	t.Helper()
	c := &closing{Destination: h.New(t)}
	t.Cleanup(func() { c.close(t) })
	return c
}

// start returns a destination that is configured for the suite's place.
func (s *suite) start(t *testing.T) *closing {
	t.Helper()
	d := open(t, s.harness)
	if err := d.Configure(t.Context(), s.settings); err != nil {
		t.Fatalf("configure: %v", err)
	}
	return d
}

// write writes the batch and returns the kind of each result.
func write(t *testing.T, d destination.Destination, b destination.Batch) []destination.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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

// deliver writes the batch and wants every record delivered.
func deliver(t *testing.T, d destination.Destination, b destination.Batch) {
	t.Helper()
	for i, r := range write(t, d, b) {
		if r.Kind != destination.Delivered {
			t.Fatalf("record %d of %d (key %q): %v %s %s", i+1, len(b.Records), b.Records[i].Key, r.Kind, r.Code, r.Message)
		}
	}
}
