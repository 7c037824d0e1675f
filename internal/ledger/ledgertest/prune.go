package ledgertest

import (
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

func (k *kit) prune(before time.Time) ledger.Pruned {
	k.Helper()
	p, err := k.Prune(k.Context(), before)
	k.must(err)
	return p
}

func (k *kit) seqs() (out []int64) {
	k.Helper()
	all, err := k.ListEvents(k.Context(), ledger.EventFilter{Limit: 1000})
	k.must(err)
	for _, e := range all {
		out = append(out, e.Seq)
	}
	return out
}

var pruneTests = map[string]func(*kit){
	"what is old and done goes, records stay": func(k *kit) {
		b := k.batch(2)
		var appends []ledger.AppendWant
		for _, e := range b.Events {
			appends = append(appends, ledger.AppendWant{Want: ledger.Want{Destination: "log"}, Seq: e.Seq, Index: -1})
		}
		k.apply(ledger.Application{Batch: b.ID, Final: true, Route: to("d"), Changes: []event.Change{set("a", b.FirstSeq, 0, "1")}, Appends: appends})
		k.deliver(k.claimN("d", b.ID, 10, 1))
		k.deliver(k.claimN("log", b.ID, 10, 2))
		if p := k.prune(k.clock.now()); p != (ledger.Pruned{}) {
			k.Errorf("pruned %+v of what came just now", p)
		}
		k.clock.advance(time.Hour)
		if p := k.prune(k.clock.now()); p != (ledger.Pruned{Events: 2, Batches: 1, Deliveries: 2}) {
			k.Errorf("pruned %+v", p)
		}
		same(k, "events", k.seqs(), nil)
		_, err := k.BatchByID(k.Context(), b.ID)
		k.notFound(err)
		if s := k.state("a"); s.State != "delivered" || s.Delivered != 1 {
			k.Errorf("delivery %+v", s)
		}
		counts, err := k.DeliveryCounts(k.Context())
		k.must(err)
		same(k, "counts", counts, []ledger.DeliveryCount{{Destination: "d", Model: "INVOICES", Delivered: 1}})
		same(k, "undone", k.undone(), nil)
		// The merge goes on at the version where it was.
		next := k.batch(1)
		k.apply(ledger.Application{Batch: next.ID, Final: true, Route: to("d"), Changes: []event.Change{set("a", next.FirstSeq, 0, "2")}})
		if d := k.claimN("d", next.ID, 10, 1).Items[0]; d.Delivered != 1 || d.Wanted != 2 {
			k.Errorf("claimed %+v", d)
		}
	},
	"sequence numbers do not come back": func(k *kit) {
		b := k.batch(3)
		k.apply(ledger.Application{Batch: b.ID, Final: true})
		k.clock.advance(time.Hour)
		k.prune(k.clock.now())
		k.Ledger = k.store.Crash()
		if a := k.append(k.ev()); a.Seq <= b.LastSeq {
			k.Errorf("sequence number %d, %d was used before", a.Seq, b.LastSeq)
		}
		if next := k.claimBatch(10); next.ID <= b.ID || len(next.Events) != 1 {
			k.Errorf("batch %+v after %d", next, b.ID)
		}
	},
	"what is open stays": func(k *kit) {
		log := func(seqs ...int64) (out []ledger.AppendWant) {
			for _, s := range seqs {
				out = append(out, ledger.AppendWant{Want: ledger.Want{Destination: "log"}, Seq: s, Index: -1})
			}
			return out
		}
		unclaimed := func() int64 { return k.append(k.ev()).Seq }

		notApplied := k.batch(1)
		pending := k.book(1, "d") // a record of it waits
		b := k.batch(4)           // done, and some events of it are needed
		waitingBatch := k.batch(1)
		k.apply(ledger.Application{Batch: b.ID, Final: true, Appends: log(b.FirstSeq, b.FirstSeq+1), Unkeyed: []ledger.Unkeyed{
			{Want: ledger.Want{Destination: "log"}, Seq: b.FirstSeq + 2, Index: 0, Reason: "no id"},
		}})
		k.apply(ledger.Application{Batch: waitingBatch.ID, Final: true, Appends: log(waitingBatch.FirstSeq)})
		c := k.claimN("log", b.ID, 2, 2)
		k.must(k.Settle(k.Context(), c.Token, []ledger.Outcome{
			{DeliveryID: c.Items[0].ID, Result: ledger.OutcomeDelivered, Version: c.Items[0].Wanted},
			{DeliveryID: c.Items[1].ID, Result: ledger.OutcomeDead, ErrorKind: "rejected"},
		}))
		backlog := unclaimed()
		k.clock.advance(time.Hour)
		if p := k.prune(k.clock.now()); p != (ledger.Pruned{Events: 2, Deliveries: 1}) {
			k.Errorf("pruned %+v", p)
		}
		same(k, "events", k.seqs(), []int64{
			backlog, waitingBatch.FirstSeq, b.FirstSeq + 2, b.FirstSeq + 1, pending.FirstSeq, notApplied.FirstSeq,
		})
		if p := k.prune(k.clock.now()); p != (ledger.Pruned{}) {
			k.Errorf("pruned again %+v", p)
		}
		same(k, "undone", k.undone(), []int64{notApplied.ID, pending.ID, waitingBatch.ID})

		// A dead letter can be retried all the same, and then the event goes.
		batch, n, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{})
		if err != nil || n != 1 {
			k.Fatalf("retried %d: %v", n, err)
		}
		if p := k.prune(k.clock.now().Add(time.Hour)); p.Events != 0 {
			k.Errorf("pruned %+v of what waits again", p)
		}
		d := k.claimN("log", batch, 1, 1)
		if d.Items[0].Event.Seq != b.FirstSeq+1 {
			k.Errorf("claimed %+v", d.Items[0])
		}
		k.deliver(d)
		if n, err := k.DiscardDeadLetters(k.Context(), ledger.DeadLetterFilter{}); n != 1 || err != nil {
			k.Fatalf("discarded %d: %v", n, err)
		}
		if p := k.prune(k.clock.now().Add(time.Hour)); p != (ledger.Pruned{Events: 2, Batches: 2, Deliveries: 1}) {
			k.Errorf("pruned %+v when all is closed", p)
		}
		// The dead letters themselves stay, and know their event.
		for id := range int64(2) {
			if l, err := k.DeadLetterByID(k.Context(), id+1); err != nil || l.EventID == "" {
				k.Errorf("dead letter %+v, %v", l, err)
			}
		}
	},
	"the moment decides within a batch": func(k *kit) {
		old := k.ev()
		k.append(old)
		k.clock.advance(time.Hour)
		moment := k.clock.now()
		kept := k.append(k.ev()).Seq
		b := k.claimBatch(2)
		k.apply(ledger.Application{Batch: b.ID, Final: true})
		if p := k.prune(moment); p != (ledger.Pruned{Events: 1}) {
			k.Errorf("pruned %+v", p)
		}
		same(k, "events", k.seqs(), []int64{kept})
		// Its id is free again with it.
		if a := k.append(old); a.Duplicate {
			k.Errorf("appended %+v", a)
		}
		same(k, "undone", k.undone(), nil)
	},
}
