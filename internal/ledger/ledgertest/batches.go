package ledgertest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

var batchTests = map[string]func(*kit){
	"batches take the oldest events, each once": func(k *kit) {
		if _, ok, err := k.ClaimBatch(k.Context(), 10); ok || err != nil {
			k.Fatalf("batch from nothing: %v, %v", ok, err)
		}
		var seqs []int64
		for range 5 {
			seqs = append(seqs, k.append(k.ev()).Seq)
		}
		var got []int64
		var last int64
		for _, want := range []int{2, 2, 1} {
			b := k.claimBatch(2)
			if len(b.Events) != want || b.FirstSeq != b.Events[0].Seq || b.LastSeq != b.Events[want-1].Seq || b.ID <= last || b.Applied {
				k.Fatalf("batch %+v, want %d events", b, want)
			}
			last = b.ID
			for _, r := range b.Events {
				got = append(got, r.Seq)
			}
		}
		same(k, "claimed", got, seqs)
		if _, ok, err := k.ClaimBatch(k.Context(), 10); ok || err != nil {
			k.Errorf("one batch more: %v, %v", ok, err)
		}
	},
	"a reference names the event": func(k *kit) {
		e := k.ev()
		a := k.append(e)
		b := k.claimBatch(1)
		want := ledger.EventRef{
			Seq: a.Seq, Source: e.Source, ID: e.ID, Kind: e.Kind, CompanyID: e.CompanyID, Model: e.Model,
			Operation: e.Operation, SyncID: e.SyncID,
		}
		same(k, "references", b.Events, []ledger.EventRef{want})
		got, err := k.BatchByID(k.Context(), b.ID)
		k.must(err)
		same(k, "references by id", got.Events, b.Events)
		_, err = k.BatchByID(k.Context(), b.ID+1)
		k.notFound(err)
		_, err = k.Events(k.Context(), b.ID+1, 0, 100)
		k.notFound(err)
	},
	"concurrent claims share the events out": func(k *kit) {
		const events = 200
		var mu sync.Mutex
		var got []int64
		var wg sync.WaitGroup
		for s := range 4 {
			wg.Go(func() {
				for i := range events / 4 {
					k.append(event.Event{Source: "rootfi", ID: fmt.Sprintf("%d-%d", s, i), ReceivedAt: k.clock.now()})
				}
			})
			wg.Go(func() {
				for {
					b, ok, err := k.ClaimBatch(k.Context(), 7)
					if err != nil {
						k.Error(err)
						return
					}
					mu.Lock()
					for _, r := range b.Events {
						got = append(got, r.Seq)
					}
					enough := len(got) == events
					mu.Unlock()
					if enough || !ok && k.Failed() {
						return
					}
				}
			})
		}
		wg.Wait()
		slices.Sort(got)
		if unique := slices.Compact(slices.Clone(got)); len(got) != events || len(unique) != events {
			k.Errorf("%d events claimed, %d of them different, want %d", len(got), len(unique), events)
		}
	},
	"events come in pages of bodies": func(k *kit) {
		b := k.batch(4) // bodies of 7 bytes
		for _, tt := range []struct {
			after    int64
			maxBytes int
			want     []int64
		}{
			{0, 1, []int64{b.FirstSeq}},
			{0, 13, []int64{b.FirstSeq}},
			{0, 14, []int64{b.FirstSeq, b.FirstSeq + 1}},
			{b.FirstSeq, 100, []int64{b.FirstSeq + 1, b.FirstSeq + 2, b.FirstSeq + 3}},
			{b.LastSeq, 100, nil},
		} {
			events, err := k.Events(k.Context(), b.ID, tt.after, tt.maxBytes)
			k.must(err)
			var got []int64
			for _, e := range events {
				got = append(got, e.Seq)
			}
			same(k, fmt.Sprintf("after %d, up to %d bytes", tt.after, tt.maxBytes), got, tt.want)
		}
	},
	"a batch is undone until it is applied and delivered": func(k *kit) {
		empty := k.batch(1)
		b := k.batch(1)
		c := k.batch(1)
		same(k, "claimed", k.undone(), []int64{empty.ID, b.ID, c.ID})
		k.apply(ledger.Application{Batch: empty.ID, Final: true})
		same(k, "one without deliveries applied", k.undone(), []int64{b.ID, c.ID})
		k.apply(ledger.Application{Batch: b.ID, Changes: []event.Change{set("a", b.FirstSeq, 0, "1")}, Route: to("d")})
		same(k, "first chunk applied", k.undone(), []int64{b.ID, c.ID})
		k.apply(ledger.Application{Batch: b.ID, Final: true})
		if got, err := k.BatchByID(k.Context(), b.ID); err != nil || !got.Applied {
			k.Errorf("applied batch: %+v, %v", got, err)
		}

		k.Ledger = k.store.Crash()
		all, err := k.Undone(k.Context(), 0, 10)
		k.must(err)
		if len(all) != 2 || !all[0].Applied || all[1].Applied || len(all[0].Events) != 1 {
			k.Fatalf("after a crash: %+v", all)
		}
		if page, err := k.Undone(k.Context(), 0, 1); err != nil || len(page) != 1 || page[0].ID != b.ID {
			k.Errorf("first page: %+v, %v", page, err)
		}
		if page, err := k.Undone(k.Context(), b.ID, 10); err != nil || len(page) != 1 || page[0].ID != c.ID {
			k.Errorf("after the first: %+v, %v", page, err)
		}
		k.deliver(k.claimN("d", b.ID, 10, 1))
		same(k, "delivered", k.undone(), []int64{c.ID})
		k.reopen()
		same(k, "opened again", k.undone(), []int64{c.ID})
	},
	"a superseded batch is done": func(k *kit) {
		a, b := k.batch(1), k.batch(1)
		k.apply(ledger.Application{Batch: a.ID, Changes: []event.Change{set("a", a.FirstSeq, 0, "1")}, Route: to("d"), Final: true})
		k.apply(ledger.Application{Batch: b.ID, Changes: []event.Change{set("a", b.FirstSeq, 0, "2")}, Route: to("d"), Final: true})
		same(k, "undone", k.undone(), []int64{b.ID})
		if p := k.pending(a.ID); len(p) != 0 {
			k.Errorf("pending in the older batch: %v", p)
		}
	},
}
