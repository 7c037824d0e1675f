package conformance

import (
	"fmt"

	"github.com/sluicehq/sluice/plugins/destination"
)

// change is one change of ModeChanges.
func change(seq int64, id, operation, fields string) destination.Record {
	r := put(id, seq, fields)
	r.Operation = destination.Append
	r.IdempotencyKey = fmt.Sprintf("rootfi/evt-%d/0", seq)
	r.Origin.EventID = fmt.Sprintf("evt-%d", seq)
	r.Origin.EventKind = "data_model_changes"
	r.Origin.Operation = operation
	return r
}

func changes(list ...destination.Record) destination.Batch {
	b := records(list...)
	b.Mode = destination.ModeChanges
	return b
}

// Every change is a row, also the second of one record and one without fields.
func appendChanges(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, changes(
		change(1, "a", "CREATE", `{"memo":"one","amount":0.10}`),
		change(2, "a", "UPDATE", `{"memo":"two"}`),
		change(3, "b", "CREATE", `{"memo":"three"}`),
	))
	deliver(t, d, changes(change(4, "a", "DELETE", `{}`)))
	s.wantAppended(t, object, 4)
	rows, seen := s.rows(t, object)
	found := !seen
	for _, r := range rows {
		found = found || r["memo"] == "one" && sameNumber("0.10", r["amount"])
	}
	if !found {
		t.Error("no row has the values of the first change")
	}
}

func appendChangesAgain(t T, s *suite) {
	d := s.start(t)
	batch := changes(change(1, "a", "CREATE", `{"memo":"one"}`), change(2, "a", "UPDATE", `{"memo":"one"}`))
	for range 2 {
		deliver(t, d, batch)
	}
	s.wantAppended(t, object, 2)
	d.close(t)
	d = s.start(t)
	// Half of the batch is known, half is new.
	deliver(t, d, changes(batch.Records[1], change(3, "a", "UPDATE", `{"memo":"two"}`)))
	s.wantAppended(t, object, 3)
}

func event(seq int64, kind string) destination.Record {
	r := change(seq, "", "", fmt.Sprintf(`{"status":"done","count":%d}`, seq))
	r.Key = []string{r.Origin.EventID}
	r.Origin.Model, r.Origin.PlatformID, r.Origin.EventKind = "", "", kind
	r.IdempotencyKey = fmt.Sprintf("rootfi/evt-%d", seq)
	return r
}

func events(list ...destination.Record) destination.Batch {
	return destination.Batch{
		Mode: destination.ModeEvents, Object: "events", KeyFields: []string{"_event_id"}, Records: list,
	}
}

func appendEvents(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, events(event(1, "sync_started"), event(2, "sync_completed")))
	deliver(t, d, events(event(3, "connection_changed")))
	s.wantAppended(t, "events", 3)
}

func appendEventsAgain(t T, s *suite) {
	d := s.start(t)
	for range 2 {
		deliver(t, d, events(event(1, "sync_started"), event(2, "sync_completed")))
	}
	s.wantAppended(t, "events", 2)
}

func (s *suite) wantAppended(t T, object string, n int) {
	t.Helper()
	if rows, seen := s.rows(t, object); seen && len(rows) != n {
		t.Fatalf("%d rows, want %d: %v", len(rows), n, rows)
	}
}
