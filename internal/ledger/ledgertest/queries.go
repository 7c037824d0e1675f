package ledgertest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

var queryTests = map[string]func(*kit){
	"events are listed newest first": func(k *kit) {
		var all []int64
		for i := range 6 {
			e := k.ev()
			if i%2 == 0 {
				e.Source, e.CompanyID, e.Model, e.Kind = "other", "1", "BILLS", event.KindSyncCompleted
			}
			all = append(all, k.append(e).Seq)
		}
		slices.Reverse(all)
		b := k.claimBatch(2)
		k.apply(ledger.Application{Batch: b.ID, Final: true})
		list := func(f ledger.EventFilter) (seqs []int64) {
			got, err := k.ListEvents(k.Context(), f)
			k.must(err)
			for _, e := range got {
				seqs = append(seqs, e.Seq)
				held := e.Seq <= b.LastSeq
				if e.Body != nil || e.Applied != held || (e.Batch == b.ID) != held || e.Source == "" || e.Format == "" {
					k.Errorf("event %+v", e)
				}
			}
			return seqs
		}
		odd, even := []int64{all[0], all[2], all[4]}, []int64{all[1], all[3], all[5]}
		same(k, "all", list(ledger.EventFilter{}), all)
		same(k, "source", list(ledger.EventFilter{Source: "other"}), even)
		same(k, "company", list(ledger.EventFilter{CompanyID: "4711"}), odd)
		same(k, "model", list(ledger.EventFilter{Model: "BILLS"}), even)
		same(k, "kind", list(ledger.EventFilter{Kind: event.KindDataModelChanges}), odd)
		same(k, "several", list(ledger.EventFilter{Kind: event.KindDataModelChanges, Model: "BILLS"}), nil)
		same(k, "first page", list(ledger.EventFilter{Limit: 4}), all[:4])
		same(k, "second page", list(ledger.EventFilter{Limit: 4, BeforeSeq: all[3]}), all[4:])
		same(k, "page of some", list(ledger.EventFilter{Source: "other", Limit: 2}), even[:2])
	},
	"an event is shown with what its batch booked": func(k *kit) {
		b := k.batch(2)
		second := b.Events[1]
		k.apply(ledger.Application{
			Batch: b.ID, Final: true, Route: to("d"), Revision: "today",
			Changes: []event.Change{set("a", b.FirstSeq, 0, "1"), set("b", b.FirstSeq, 1, "1"), set("c", b.LastSeq, 0, "1")},
			Appends: []ledger.AppendWant{{Want: ledger.Want{Destination: "log"}, Seq: b.LastSeq, Index: -1}},
		})
		k.deliver(k.claimN("d", b.ID, 1, 1))
		k.settle(k.claimN("d", b.ID, 1, 1), rejected)
		got, err := k.EventByID(k.Context(), second.Source, second.ID)
		k.must(err)
		if got.Seq != second.Seq || len(got.Body) == 0 || got.Batch != b.ID || got.BatchFirst != b.FirstSeq || !got.Applied || got.Revision != "today" {
			k.Errorf("event %+v", got)
		}
		same(k, "deliveries", got.Deliveries, []ledger.DeliveryCount{
			{Destination: "d", Model: "INVOICES", Waiting: 1, Delivered: 1, Dead: 1},
			{Destination: "log", Waiting: 1},
		})
		_, err = k.EventByID(k.Context(), "elsewhere", second.ID)
		k.notFound(err)
		fresh := k.ev()
		k.append(fresh)
		got, err = k.EventByID(k.Context(), fresh.Source, fresh.ID)
		k.must(err)
		if got.Batch != 0 || got.Applied || got.Revision != "" || len(got.Deliveries) != 0 {
			k.Errorf("event without batch: %+v", got)
		}
	},
	"records are found by parts of their key": func(k *kit) {
		b := k.batch(1)
		var changes []event.Change
		for i, company := range []string{"1", "1", "2"} {
			key := event.RecordKey{Source: "rootfi", CompanyID: company, Integration: "XERO", Model: []string{"BILLS", "INVOICES"}[i%2], PlatformID: "x"}
			changes = append(changes, event.Change{Key: key, Operation: event.Create, Stamp: event.Stamp{Seq: b.FirstSeq, Index: int64(i)},
				Fields: map[string]json.RawMessage{"n": json.RawMessage(fmt.Sprint(i))}})
		}
		k.apply(ledger.Application{Batch: b.ID, Changes: changes, Final: true, Route: to("d", "e")})
		find := func(key event.RecordKey) (companies []string) {
			got, err := k.RecordsByKey(k.Context(), key)
			k.must(err)
			for _, r := range got {
				companies = append(companies, r.Key.CompanyID)
				if len(r.Deliveries) != 2 || !r.UpdatedAt.Equal(k.clock.now()) || len(r.Fields) != 1 {
					k.Errorf("record %+v", r)
				}
			}
			slices.Sort(companies)
			return companies
		}
		same(k, "all", find(event.RecordKey{PlatformID: "x"}), []string{"1", "1", "2"})
		same(k, "company", find(event.RecordKey{CompanyID: "1", PlatformID: "x"}), []string{"1", "1"})
		same(k, "company and model", find(event.RecordKey{CompanyID: "1", Model: "BILLS", PlatformID: "x"}), []string{"1"})
		for _, key := range []event.RecordKey{{PlatformID: "y"}, {Source: "elsewhere", PlatformID: "x"}, {Integration: "SAGE", PlatformID: "x"}, {}} {
			_, err := k.RecordsByKey(k.Context(), key)
			k.notFound(err)
		}
	},
	"destinations say how they stand": func(k *kit) {
		began := k.clock.now()
		b := k.book(4, "d", "e")
		k.clock.advance(time.Minute)
		k.book(1, "d")
		k.deliver(k.claimN("d", b.ID, 1, 1))
		k.settle(k.claimN("d", b.ID, 1, 1), rejected)
		k.settle(k.claimN("d", b.ID, 1, 1), ledger.Outcome{Result: ledger.OutcomeRetry, RetryAt: k.clock.now().Add(time.Hour)})
		k.deliver(k.claimN("e", b.ID, 10, 4))
		states, err := k.DestinationStates(k.Context())
		k.must(err)
		if want := []ledger.DestinationState{
			{Destination: "d", Waiting: 3, Delivered: 1, Dead: 1, OldestSince: began},
			{Destination: "e", Delivered: 4},
		}; !reflect.DeepEqual(states, want) {
			k.Errorf("states: %v, want %v", states, want)
		}
		counts, err := k.DeliveryCounts(k.Context())
		k.must(err)
		same(k, "counts", counts, []ledger.DeliveryCount{
			{Destination: "d", Model: "INVOICES", Waiting: 3, Delivered: 1, Dead: 1},
			{Destination: "e", Model: "INVOICES", Delivered: 4},
		})
	},
	"the backlog is what is not applied": func(k *kit) {
		check := func(what string, want ledger.Backlog) {
			k.Helper()
			got, err := k.Backlog(k.Context())
			k.must(err)
			if got.Events != want.Events || got.Batches != want.Batches || !got.Oldest.Equal(want.Oldest) {
				k.Errorf("%s: %+v, want %+v", what, got, want)
			}
		}
		check("empty", ledger.Backlog{})
		t1 := k.clock.now()
		k.append(k.ev())
		k.clock.advance(time.Minute)
		t2 := k.clock.now()
		k.append(k.ev())
		k.append(k.ev())
		check("appended", ledger.Backlog{Events: 3, Oldest: t1})
		b := k.claimBatch(1)
		check("claimed", ledger.Backlog{Events: 2, Batches: 1, Oldest: t1})
		k.apply(ledger.Application{Batch: b.ID, Final: true})
		check("applied", ledger.Backlog{Events: 2, Oldest: t2})
		b = k.claimBatch(10)
		k.apply(ledger.Application{Batch: b.ID, Final: true})
		check("all applied", ledger.Backlog{})
		var open []ledger.Batch
		for range 4 {
			open = append(open, k.book(1, "d")) // applied, not delivered
			open = append(open, k.batch(1))
		}
		check("every other one", ledger.Backlog{Batches: 4, Oldest: k.clock.now()})
		for left, i := int64(3), 7; i > 0; left, i = left-1, i-2 {
			k.apply(ledger.Application{Batch: open[i].ID, Final: true})
			want := ledger.Backlog{Batches: left}
			if left > 0 {
				want.Oldest = k.clock.now()
			}
			check("from the last on", want)
		}
		check("none any more", ledger.Backlog{})
	},
}
