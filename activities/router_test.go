package activities

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Of a condition that cannot be evaluated an event is named that shows it, and
// nothing that the event says.
func TestAConditionThatFailsNamesAnEvent(t *testing.T) {
	table, err := routing.Compile([]config.Route{
		{Name: "big", Where: `record.total > 1000`, To: []string{"d"}},
		{Name: "log", Mode: "changes", Where: `change.total > 1000`, To: []string{"d"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := newRouter(table, NewMetrics(prometheus.NewRegistry()))
	key := event.RecordKey{Source: "rootfi", CompanyID: "1", Integration: "XERO", Model: "INVOICES", PlatformID: "i1"}
	changes := []event.Change{
		{Key: key, Operation: event.Create, Stamp: event.Stamp{Seq: 7}, Fields: map[string]json.RawMessage{"total": json.RawMessage(`"s3cret"`)}},
		{Key: key, Operation: event.Update, Stamp: event.Stamp{Seq: 6}, Fields: map[string]json.RawMessage{"memo": json.RawMessage(`"x"`)}},
	}
	for seq, id := range map[int64]string{6: "older", 7: "newest"} {
		in := r.note(event.Event{Seq: seq, ID: id, Source: "rootfi", Kind: event.KindDataModelChanges, CompanyID: "1", Integration: "XERO", Model: "INVOICES"})
		if seq == 7 {
			if got := table.Appends(r.of(in, changes[0])); len(got) > 0 {
				t.Errorf("a condition that fails lets a change pass: %v", got)
			}
		}
	}
	merged := event.Record{Key: key}
	merged.Merge(changes...)
	if got := r.record(ledger.Merged{Record: &merged, Changes: changes}); len(got) > 0 {
		t.Errorf("a condition that fails lets a record pass: %v", got)
	}
	for _, route := range []string{"big", "log"} {
		if f := r.failed[route]; f.event != "newest" || f.times != 1 || f.err == nil {
			t.Errorf("%s: %+v", route, f)
		}
	}
	r.failIn(6)("big", errors.New("again"))
	var log bytes.Buffer
	r.report(slog.New(slog.NewTextHandler(&log, nil)))
	for _, want := range []string{`route=big err=again event=older times=2`, `route=log`, `event=newest times=1`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q: %s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "s3cret") {
		t.Errorf("the log holds a value: %s", log.String())
	}
}
