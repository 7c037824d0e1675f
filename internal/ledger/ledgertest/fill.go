package ledgertest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Fill puts something of everything into an empty ledger, for tests of its
// checks: five events, of which 1 and 2 are in a batch that is done, 3 and 4 in
// one that is open, and 5 in none; deliveries in every state, one of which waits
// for a parent, dead letters with and without a delivery, elements of lists, an
// unrouted event, a pause. Numbers count from 1.
func Fill(t testing.TB, l ledger.Ledger) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		_, err := l.Append(ctx, event.Event{Source: "s", ID: id, Kind: event.KindDataModelChanges, Body: []byte("{}"), ReceivedAt: time.Now()})
		must(err)
	}
	for range 2 {
		b, _, err := l.ClaimBatch(ctx, 2)
		must(err)
		in := ledger.Application{Batch: b.ID, Final: true, Revision: "1", Route: func(ledger.Merged) []ledger.Want {
			return []ledger.Want{{Destination: "d", Route: "r"}}
		}}
		for _, e := range b.Events {
			in.Changes = append(in.Changes, event.Change{
				Key: event.RecordKey{Source: "s", Model: "ITEMS", PlatformID: e.ID}, Operation: event.Create,
				Stamp: event.Stamp{At: e.Seq, Seq: e.Seq}, Fields: map[string]json.RawMessage{"n": json.RawMessage(e.ID)},
			})
			in.Appends = append(in.Appends, ledger.AppendWant{Want: ledger.Want{Destination: "log", Route: "r"}, Seq: e.Seq, Index: -1})
		}
		in.Unkeyed = []ledger.Unkeyed{{Want: ledger.Want{Destination: "d", Route: "r"}, Seq: b.FirstSeq, Index: 7, Model: "ITEMS", Reason: "no id"}}
		in.Unrouted = []int64{b.LastSeq}
		_, err = l.Apply(ctx, in)
		must(err)
	}
	for destination, second := range map[string]ledger.Outcome{
		"d":   {Result: ledger.OutcomeDead, ErrorKind: "rejected"},
		"log": {Result: ledger.OutcomeDelivered},
	} {
		c, err := l.Claim(ctx, ledger.ClaimRequest{Destination: destination, Batch: 1, Limit: 2, Lease: time.Minute})
		must(err)
		second.DeliveryID = c.Items[1].ID
		first := ledger.Outcome{DeliveryID: c.Items[0].ID, Result: ledger.OutcomeDelivered, Version: 1}
		if c.Items[0].Kind == ledger.DeliverRecord {
			first.Children = map[string][]string{"lines": {"1", "2"}}
		}
		must(l.Settle(ctx, c.Token, []ledger.Outcome{first, second}))
	}
	c, err := l.Claim(ctx, ledger.ClaimRequest{Destination: "d", Batch: 2, Limit: 1, Lease: time.Minute})
	must(err)
	must(l.Settle(ctx, c.Token, []ledger.Outcome{{
		DeliveryID: c.Items[0].ID, Result: ledger.OutcomeBlocked, RetryAt: time.Now().Add(time.Hour),
		Parents: []event.RecordKey{{Source: "s", Model: "ITEMS", PlatformID: "9"}},
	}}))
	must(l.Pause(ctx, ledger.Pause{Destination: "d", Reason: ledger.PauseOperator}))
	must(l.Pause(ctx, ledger.Pause{Destination: "d", Scope: ledger.ScopeObject, Part: "items", Reason: ledger.PauseThrottled, Until: time.Now().Add(time.Hour)}))
	undone, err := l.Undone(ctx, 0, 10)
	must(err)
	if len(undone) != 1 {
		t.Fatalf("%d batches are undone, want 1", len(undone))
	}
}
