package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

var claimTests = map[string]func(*kit){
	"the own batch comes first, then the oldest": func(k *kit) {
		var batches []ledger.Batch
		for range 4 {
			batches = append(batches, k.book(2, "d"))
		}
		own := batches[2]
		c := k.claim("d", own.ID, 5)
		var got []int64
		for _, d := range c.Items {
			got = append(got, d.Batch)
		}
		same(k, "batches", got, []int64{own.ID, own.ID, batches[0].ID, batches[0].ID, batches[1].ID})
		got = nil
		for _, d := range k.claim("d", 0, 5).Items {
			got = append(got, d.Batch)
		}
		same(k, "the rest", got, []int64{batches[1].ID, batches[3].ID, batches[3].ID})
	},
	"destinations do not see each other's": func(k *kit) {
		b := k.book(3, "d", "e")
		k.claimN("d", b.ID, 10, 3)
		k.claimN("e", b.ID, 10, 3)
		k.claimN("f", b.ID, 10, 0)
	},
	"bytes bound a claim": func(k *kit) {
		b := k.batch(1)
		var changes []event.Change
		for i := range 5 {
			changes = append(changes, set(fmt.Sprint(i), b.FirstSeq, i, `"`+strings.Repeat("x", 10_000)+`"`))
		}
		k.apply(ledger.Application{Batch: b.ID, Changes: changes, Route: to("d"), Final: true})
		var got []int
		var more []bool
		for range 4 {
			c, err := k.Claim(k.Context(), ledger.ClaimRequest{Destination: "d", Batch: b.ID, Limit: 10, MaxBytes: 25_000, Lease: lease})
			k.must(err)
			got = append(got, len(c.Items), c.OwnLeft, c.OwnLeased)
			more = append(more, c.More)
		}
		same(k, "there may be more", more, []bool{true, true, false, false})
		same(k, "items, left, leased", got, []int{2, 3, 0, 2, 3, 2, 1, 4, 4, 0, 5, 5})
	},
	"a claim of the number asked for may leave more": func(k *kit) {
		k.book(5, "d")
		var more []bool
		for _, limit := range []int{2, 3, 3} {
			more = append(more, k.claim("d", 0, limit).More)
		}
		k.book(2, "d")
		same(k, "there may be more", append(more, k.claim("d", 0, 3).More), []bool{true, true, false, false})
	},
	"at least one comes however large": func(k *kit) {
		b := k.batch(2)
		for _, e := range b.Events {
			k.apply(ledger.Application{Batch: b.ID, Appends: []ledger.AppendWant{
				{Want: ledger.Want{Destination: "log"}, Seq: e.Seq, Index: -1},
			}})
		}
		c, err := k.Claim(k.Context(), ledger.ClaimRequest{Destination: "log", Batch: b.ID, Limit: 10, MaxBytes: 1, Lease: lease})
		k.must(err)
		if len(c.Items) != 1 {
			k.Errorf("claimed %d", len(c.Items))
		}
	},
	"a claim does not load many large events for one change of each": func(k *kit) {
		var appends []ledger.AppendWant
		for i := range 30 {
			ev := k.ev()
			ev.Records, ev.Body = 1000, make([]byte, 100_000)
			appends = append(appends, ledger.AppendWant{Want: ledger.Want{Destination: "log"}, Seq: k.append(ev).Seq, Index: i})
		}
		b := k.claimBatch(30)
		k.apply(ledger.Application{Batch: b.ID, Appends: appends, Final: true})
		for got := 0; got < 30; {
			c, err := k.Claim(k.Context(), ledger.ClaimRequest{Destination: "log", Batch: b.ID, Limit: 100, MaxBytes: 300_000, Lease: lease})
			k.must(err)
			if n := len(c.Items); n == 0 || n > 10 {
				k.Fatalf("a claim of %d changes, each of another event", n)
			}
			got += len(c.Items)
			k.deliver(c)
		}
	},
	"a look takes nothing": func(k *kit) {
		b := k.book(3, "d")
		look := func() ledger.Claim {
			c, err := k.Claim(k.Context(), ledger.ClaimRequest{Destination: "d", Batch: b.ID, Limit: 10, Lease: lease, Look: true})
			k.must(err)
			return c
		}
		if c := look(); len(c.Items) != 0 || c.OwnLeft != 3 || c.OwnLeased != 0 || !c.NextDue.IsZero() {
			k.Errorf("before a claim: %+v", c)
		}
		first := k.claimN("d", b.ID, 2, 2)
		if c := look(); len(c.Items) != 0 || c.OwnLeft != 3 || c.OwnLeased != 2 {
			k.Errorf("beside a claim: %+v", c)
		}
		k.deliver(first)
		k.deliver(k.claimN("d", b.ID, 2, 1))
		if c := look(); c.OwnLeft != 0 || c.OwnLeased != 0 {
			k.Errorf("when all is done: %+v", c)
		}
	},
	"a lease keeps others out until it ends": func(k *kit) {
		b := k.book(2, "d")
		first := k.claimN("d", b.ID, 1, 1)
		if first.OwnLeft != 1 || first.OwnLeased != 0 || !first.NextDue.IsZero() {
			k.Errorf("first claim: %+v", first)
		}
		second := k.claimN("d", b.ID, 10, 1)
		if second.OwnLeft != 1 || second.OwnLeased != 1 {
			k.Errorf("second claim: %+v", second)
		}
		if first.Items[0].ID == second.Items[0].ID {
			k.Error("one delivery in two claims")
		}
		k.clock.advance(lease - time.Second)
		k.claimN("d", b.ID, 10, 0)
		k.clock.advance(2 * time.Second)
		third := k.claimN("d", b.ID, 10, 2)
		// The first claim has lost its lease: what it says does not count.
		k.settle(first, ledger.Outcome{Result: ledger.OutcomeDead, Message: "too late"})
		if l := k.letters(ledger.DeadLetterFilter{}); len(l) != 0 {
			k.Errorf("an outcome without lease made %+v", l)
		}
		k.claimN("d", b.ID, 10, 0)
		k.deliver(third)
		same(k, "undone", k.undone(), nil)
	},
	"a crash does not keep what was leased": func(k *kit) {
		b := k.book(3, "d")
		k.claimN("d", b.ID, 2, 2)
		k.Ledger = k.store.Crash()
		k.clock.advance(2 * lease)
		k.deliver(k.claimN("d", b.ID, 10, 3))
	},
	"what waits for its moment is not claimed before": func(k *kit) {
		b := k.book(3, "d")
		c := k.claimN("d", b.ID, 10, 3)
		at := k.clock.now().Add(time.Hour)
		k.must(k.Settle(k.Context(), c.Token, []ledger.Outcome{
			{DeliveryID: c.Items[0].ID, Result: ledger.OutcomeRetry, RetryAt: at.Add(time.Hour)},
			{DeliveryID: c.Items[1].ID, Result: ledger.OutcomeWait, RetryAt: at},
			{DeliveryID: c.Items[2].ID, Result: ledger.OutcomeDelivered, Version: 1},
		}))
		got := k.claimN("d", b.ID, 10, 0)
		if got.OwnLeft != 2 || got.OwnLeased != 0 || !got.NextDue.Equal(at) {
			k.Errorf("claim %+v, want 2 left, the next due at %s", got, at)
		}
		k.clock.advance(time.Hour)
		got = k.claimN("d", b.ID, 10, 1)
		if got.Items[0].ID != c.Items[1].ID || !got.NextDue.Equal(at.Add(time.Hour)) {
			k.Errorf("claim %+v, want %d", got, c.Items[1].ID)
		}
		// As others' too.
		k.clock.advance(time.Hour)
		k.claimN("d", 0, 10, 2)
	},
	"retries take their place among the oldest": func(k *kit) {
		old, young := k.book(2, "d"), k.book(2, "d")
		k.settle(k.claimN("d", old.ID, 1, 1), ledger.Outcome{Result: ledger.OutcomeRetry, RetryAt: k.clock.now().Add(time.Second)})
		k.clock.advance(time.Second)
		var got []int64
		for _, d := range k.claim("d", 0, 3).Items {
			got = append(got, d.Batch)
		}
		same(k, "batches", got, []int64{old.ID, old.ID, young.ID})
	},
	"what a settlement leaves out waits again": func(k *kit) {
		b := k.book(3, "d")
		c := k.claimN("d", b.ID, 10, 3)
		k.must(k.Settle(k.Context(), c.Token, []ledger.Outcome{{DeliveryID: c.Items[1].ID, Result: ledger.OutcomeDelivered, Version: 1}}))
		again := k.claimN("d", b.ID, 10, 2)
		for _, d := range again.Items {
			if d.Attempts != 0 || d.ID == c.Items[1].ID {
				k.Errorf("claimed again: %+v", d)
			}
		}
		// The first claim is over.
		k.settle(c, ledger.Outcome{Result: ledger.OutcomeDead})
		if n, err := k.Dead(k.Context(), b.ID, "d"); n != 0 || err != nil {
			k.Errorf("dead %d, %v", n, err)
		}
	},
	"outcomes of foreign deliveries are ignored": func(k *kit) {
		b := k.book(2, "d")
		mine, other := k.claimN("d", b.ID, 1, 1), k.claimN("d", b.ID, 1, 1)
		k.must(k.Settle(k.Context(), mine.Token, []ledger.Outcome{{DeliveryID: other.Items[0].ID, Result: ledger.OutcomeDead}}))
		k.must(k.Settle(k.Context(), ledger.ClaimToken{ID: "no such claim", Destination: "d"}, []ledger.Outcome{{DeliveryID: mine.Items[0].ID, Result: ledger.OutcomeDead}}))
		if n, err := k.Dead(k.Context(), b.ID, "d"); n != 0 || err != nil {
			k.Errorf("dead %d, %v", n, err)
		}
		k.claimN("d", b.ID, 10, 1)
	},
	"suspects are parted until one is alone": func(k *kit) {
		b := k.book(16, "d")
		poison := fmt.Sprintf("%d-%d", b.ID, 11)
		other := k.book(1, "d") // must be served meanwhile
		served := 0
		var calls []int
		for range 60 {
			c := k.claim("d", b.ID, 16)
			if len(c.Items) == 0 {
				break
			}
			calls = append(calls, len(c.Items))
			if i := slices.IndexFunc(c.Items, func(d ledger.Delivery) bool { return d.Suspect > 0 }); i >= 0 && len(c.Items) > 4 {
				k.Fatalf("a suspect in a call of %d", len(c.Items))
			}
			if !slices.Contains(recordIDs(c), poison) {
				for _, d := range c.Items {
					if d.Batch == other.ID {
						served = len(calls)
					}
				}
				k.deliver(c)
				continue
			}
			if len(c.Items) == 1 {
				k.settle(c, ledger.Outcome{Result: ledger.OutcomeDead, Code: "POISON"})
				continue
			}
			k.settle(c, ledger.Outcome{Result: ledger.OutcomeRetry, Lost: true})
		}
		if p := k.pending(b.ID); len(p) != 0 {
			k.Errorf("pending after calls %v: %v", calls, p)
		}
		if l := k.letters(ledger.DeadLetterFilter{}); len(l) != 1 || l[0].Key.PlatformID != poison {
			k.Errorf("dead letters %+v", l)
		}
		if served == 0 {
			k.Error("the other batch was never served")
		}
	},
	"an answer clears suspicion": func(k *kit) {
		b := k.book(2, "d")
		k.settle(k.claimN("d", b.ID, 2, 2), ledger.Outcome{Result: ledger.OutcomeRetry, Lost: true})
		c := k.claimN("d", b.ID, 2, 1)
		if d := c.Items[0]; d.Suspect != 1 || d.Attempts != 1 {
			k.Errorf("after a lost call: %+v", d)
		}
		k.settle(c, ledger.Outcome{Result: ledger.OutcomeRetry})
		k.clock.advance(time.Second)
		all := k.claim("d", b.ID, 1)
		rest := k.claim("d", b.ID, 1)
		var suspects []int
		for _, d := range append(all.Items, rest.Items...) {
			suspects = append(suspects, d.Suspect)
		}
		slices.Sort(suspects)
		same(k, "suspects", suspects, []int{0, 1})
	},
	"neither suspects nor others starve": func(k *kit) {
		b := k.book(4, "d")
		k.settle(k.claimN("d", b.ID, 2, 2), ledger.Outcome{Result: ledger.OutcomeRetry, Lost: true})
		for i := range 40 {
			more := k.book(2, "d")
			k.deliver(k.claim("d", 0, 2))
			if len(k.pending(b.ID)) == 0 {
				break
			}
			if i == 39 {
				k.Errorf("the oldest batch is still pending after batch %d: %v", more.ID, k.pending(b.ID))
			}
		}
	},
	"concurrent claims never share a delivery": func(k *kit) {
		const records, workers = 300, 6
		b := k.book(records, "d")
		var mu sync.Mutex
		inFlight := make(map[int64]bool)
		delivered := 0
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for turn := 0; ; turn++ {
					c, err := k.Claim(k.Context(), ledger.ClaimRequest{Destination: "d", Batch: b.ID, Limit: 9, Lease: lease})
					if err != nil {
						k.Error(err)
						return
					}
					if len(c.Items) == 0 && c.OwnLeft == 0 {
						return
					}
					mu.Lock()
					for _, d := range c.Items {
						if inFlight[d.ID] {
							k.Errorf("delivery %d is in two claims", d.ID)
						}
						inFlight[d.ID] = true
					}
					for _, d := range c.Items {
						inFlight[d.ID] = false // before Settle gives it back
					}
					mu.Unlock()
					var outcomes []ledger.Outcome
					for i, d := range c.Items {
						o := ledger.Outcome{DeliveryID: d.ID, Result: ledger.OutcomeDelivered, Version: d.Record.Version}
						if (turn+i+w)%4 == 0 {
							o = ledger.Outcome{DeliveryID: d.ID, Result: ledger.OutcomeRetry}
						} else {
							mu.Lock()
							delivered++
							mu.Unlock()
						}
						outcomes = append(outcomes, o)
					}
					if err := k.Settle(k.Context(), c.Token, outcomes); err != nil {
						k.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if delivered != records {
			k.Errorf("%d deliveries of %d records", delivered, records)
		}
		same(k, "undone", k.undone(), nil)
	},
}
