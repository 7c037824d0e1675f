package ledgertest

import (
	"fmt"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

var rejected = ledger.Outcome{Result: ledger.OutcomeDead, ErrorKind: "rejected", Code: "NOPE", Message: "never"}

var deadLetterTests = map[string]func(*kit){
	"what is given up can be looked at": func(k *kit) {
		b := k.book(2, "d")
		k.settle(k.claimN("d", b.ID, 1, 1), ledger.Outcome{Result: ledger.OutcomeRetry})
		k.settle(k.claimN("d", b.ID, 2, 2), rejected)
		if n, err := k.Dead(k.Context(), b.ID, "d"); n != 2 || err != nil {
			k.Errorf("dead %d, %v", n, err)
		}
		same(k, "undone", k.undone(), nil)
		k.claimN("d", b.ID, 10, 0)
		all := k.letters(ledger.DeadLetterFilter{})
		if len(all) != 2 || all[0].ID < all[1].ID {
			k.Fatalf("dead letters, newest first: %+v", all)
		}
		attempts := map[string]int{}
		for _, d := range all {
			attempts[d.Key.PlatformID] = d.Attempts
			if d.Destination != "d" || d.Route != "route-d" || d.Kind != ledger.DeliverRecord || d.Key != key(d.Key.PlatformID) || d.EventSeq != 0 || d.EventID != "" ||
				d.Version != 1 || d.ErrorKind != "rejected" || d.Code != "NOPE" || d.Message != "never" || d.State != "open" || !d.CreatedAt.Equal(k.clock.now()) {
				k.Errorf("dead letter %+v", d)
			}
			if got, err := k.DeadLetterByID(k.Context(), d.ID); err != nil || got != d {
				k.Errorf("by id: %+v, %v", got, err)
			}
		}
		first := fmt.Sprintf("%d-0", b.ID)
		if attempts[first] != 2 || attempts[fmt.Sprintf("%d-1", b.ID)] != 1 {
			k.Errorf("attempts %v", attempts)
		}
		if s := k.state(first); s.State != "dead" || s.Code != "NOPE" {
			k.Errorf("delivery %+v", s)
		}
		_, err := k.DeadLetterByID(k.Context(), all[0].ID+1000)
		k.notFound(err)
	},
	"filters narrow the list": func(k *kit) {
		for _, destination := range []string{"d", "e"} {
			b := k.book(2, destination)
			for _, code := range []string{"A", "B"} {
				k.settle(k.claimN(destination, b.ID, 1, 1), ledger.Outcome{Result: ledger.OutcomeDead, Code: code})
			}
		}
		all := k.letters(ledger.DeadLetterFilter{})
		ids := func(f ledger.DeadLetterFilter) (out []int64) {
			for _, d := range k.letters(f) {
				out = append(out, d.ID)
			}
			return out
		}
		same(k, "destination", ids(ledger.DeadLetterFilter{Destination: "e"}), []int64{all[0].ID, all[1].ID})
		same(k, "code", ids(ledger.DeadLetterFilter{Code: "A"}), []int64{all[1].ID, all[3].ID})
		same(k, "ids", ids(ledger.DeadLetterFilter{IDs: []int64{all[2].ID, all[0].ID, 0}}), []int64{all[0].ID, all[2].ID})
		same(k, "model", ids(ledger.DeadLetterFilter{Model: "BILLS"}), nil)
		same(k, "first page", ids(ledger.DeadLetterFilter{Limit: 3}), []int64{all[0].ID, all[1].ID, all[2].ID})
		same(k, "second page", ids(ledger.DeadLetterFilter{Limit: 3, BeforeID: all[2].ID}), []int64{all[3].ID})
	},
	"a retry is a batch of its own": func(k *kit) {
		b := k.book(3, "d")
		k.settle(k.claimN("d", b.ID, 10, 3), rejected)
		all := k.letters(ledger.DeadLetterFilter{})
		select {
		case <-k.Signal():
		default:
		}
		batch, n, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{IDs: []int64{all[0].ID, all[2].ID}})
		if err != nil || n != 2 || batch <= b.ID {
			k.Fatalf("retried %d in batch %d: %v", n, batch, err)
		}
		select {
		case <-k.Signal():
		default:
			k.Error("no signal")
		}
		k.Ledger = k.store.Crash()
		undone, err := k.Undone(k.Context(), 0, 10)
		k.must(err)
		if len(undone) != 1 || undone[0].ID != batch || undone[0].FirstSeq != 0 || len(undone[0].Events) != 0 || !undone[0].Applied {
			k.Fatalf("undone %+v", undone)
		}
		if got := k.pending(batch); got["d"] != 2 {
			k.Errorf("pending %v", got)
		}
		if d, err := k.Dead(k.Context(), b.ID, "d"); d != 1 || err != nil {
			k.Errorf("dead in the old batch: %d, %v", d, err)
		}
		c := k.claimN("d", batch, 10, 2)
		if d := c.Items[0]; d.Attempts != 0 || d.Batch != batch || !d.FirstFail.IsZero() || d.Wanted != 1 {
			k.Errorf("claimed %+v", d)
		}
		if d, err := k.DeadLetterByID(k.Context(), all[0].ID); err != nil || d.State != "retried" {
			k.Errorf("retried: %+v, %v", d, err)
		}
		k.deliver(c)
		same(k, "undone", k.undone(), nil)
		if open := k.letters(ledger.DeadLetterFilter{}); len(open) != 1 || open[0].ID != all[1].ID {
			k.Errorf("open: %+v", open)
		}
	},
	"a retry of nothing makes no batch": func(k *kit) {
		if batch, n, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{}); batch != 0 || n != 0 || err != nil {
			k.Errorf("batch %d, %d, %v", batch, n, err)
		}
	},
	"what fails again is a new dead letter": func(k *kit) {
		b := k.book(1, "d")
		k.settle(k.claimN("d", b.ID, 10, 1), rejected)
		first := k.letters(ledger.DeadLetterFilter{})[0]
		batch, _, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{Destination: "d"})
		k.must(err)
		k.settle(k.claimN("d", batch, 10, 1), rejected)
		all := k.letters(ledger.DeadLetterFilter{})
		if len(all) != 1 || all[0].ID == first.ID {
			k.Errorf("open %+v", all)
		}
		if n, err := k.Dead(k.Context(), batch, "d"); n != 1 || err != nil {
			k.Errorf("dead %d, %v", n, err)
		}
	},
	"changes and events can be retried": func(k *kit) {
		b := k.batch(1)
		ref := b.Events[0]
		k.apply(ledger.Application{Batch: b.ID, Final: true, Appends: []ledger.AppendWant{
			{Want: ledger.Want{Destination: "log", Route: "r"}, Seq: ref.Seq, Index: 1, Model: "INVOICES"},
			{Want: ledger.Want{Destination: "log", Route: "r"}, Seq: ref.Seq, Index: -1},
		}})
		k.settle(k.claimN("log", b.ID, 10, 2), rejected)
		all := k.letters(ledger.DeadLetterFilter{})
		if len(all) != 2 {
			k.Fatalf("dead letters %+v", all)
		}
		for _, d := range all {
			if d.EventSeq != ref.Seq || d.EventID != ref.ID || d.Version != ref.Seq {
				k.Errorf("dead letter %+v", d)
			}
			if d.Kind == ledger.DeliverEvent && d.Key != (event.RecordKey{}) {
				k.Errorf("an event has the key %s", d.Key)
			}
		}
		batch, n, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{})
		if err != nil || n != 2 {
			k.Fatalf("retried %d: %v", n, err)
		}
		c := k.claimN("log", batch, 10, 2)
		if c.Items[0].Event == nil || c.Items[0].Event.Seq != ref.Seq {
			k.Errorf("claimed %+v", c.Items[0])
		}
		k.deliver(c)
		same(k, "undone", k.undone(), nil)
	},
	"what has no key cannot be retried, only discarded": func(k *kit) {
		b := k.batch(1)
		k.apply(ledger.Application{Batch: b.ID, Final: true, Unkeyed: []ledger.Unkeyed{
			{Want: ledger.Want{Destination: "d"}, Seq: b.FirstSeq, Index: 0, Model: "INVOICES", Reason: "no id"},
		}})
		if batch, n, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{}); n != 0 || err != nil {
			k.Errorf("retried %d in batch %d, %v", n, batch, err)
		}
		if len(k.letters(ledger.DeadLetterFilter{})) != 1 {
			k.Error("the retry took it away")
		}
		if n, err := k.DiscardDeadLetters(k.Context(), ledger.DeadLetterFilter{Model: "INVOICES"}); n != 1 || err != nil {
			k.Errorf("discarded %d, %v", n, err)
		}
		same(k, "undone", k.undone(), nil)
	},
	"what is discarded stays dead": func(k *kit) {
		b := k.book(2, "d")
		k.settle(k.claimN("d", b.ID, 10, 2), rejected)
		all := k.letters(ledger.DeadLetterFilter{})
		if n, err := k.DiscardDeadLetters(k.Context(), ledger.DeadLetterFilter{Limit: 1}); n != 1 || err != nil {
			k.Fatalf("discarded %d, %v", n, err)
		}
		open := k.letters(ledger.DeadLetterFilter{})
		if len(open) != 1 {
			k.Fatalf("open %+v", open)
		}
		for _, d := range all {
			if d.ID == open[0].ID {
				continue
			}
			if got, err := k.DeadLetterByID(k.Context(), d.ID); err != nil || got.State != "discarded" {
				k.Errorf("discarded: %+v, %v", got, err)
			}
			if s := k.state(d.Key.PlatformID); s.State != "dead" {
				k.Errorf("delivery %+v", s)
			}
		}
		if _, n, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{}); n != 1 || err != nil {
			k.Errorf("retried %d, %v", n, err)
		}
		if n, err := k.DiscardDeadLetters(k.Context(), ledger.DeadLetterFilter{}); n != 0 || err != nil {
			k.Errorf("discarded once more: %d, %v", n, err)
		}
	},
	"a newer version revives what was given up": func(k *kit) {
		b := k.book(1, "d")
		id := fmt.Sprintf("%d-0", b.ID)
		k.settle(k.claimN("d", b.ID, 10, 1), rejected)
		letter := k.letters(ledger.DeadLetterFilter{})[0]
		newer := k.batch(1)
		k.apply(ledger.Application{Batch: newer.ID, Changes: []event.Change{set(id, newer.FirstSeq, 0, "2")}, Route: to("d"), Final: true})
		if n, err := k.Dead(k.Context(), b.ID, "d"); n != 0 || err != nil {
			k.Errorf("dead %d, %v", n, err)
		}
		c := k.claimN("d", newer.ID, 10, 1)
		if d := c.Items[0]; d.Wanted != 2 || d.Attempts != 0 {
			k.Errorf("claimed %+v", d)
		}
		if len(k.letters(ledger.DeadLetterFilter{})) != 1 {
			k.Error("the dead letter is closed before the delivery")
		}
		k.deliver(c)
		if d, err := k.DeadLetterByID(k.Context(), letter.ID); err != nil || d.State != "superseded" {
			k.Errorf("after the delivery: %+v, %v", d, err)
		}
	},
	"retrying what waits again already does no harm": func(k *kit) {
		b := k.book(1, "d")
		k.settle(k.claimN("d", b.ID, 10, 1), rejected)
		newer := k.batch(1)
		k.apply(ledger.Application{Batch: newer.ID, Changes: []event.Change{set(fmt.Sprintf("%d-0", b.ID), newer.FirstSeq, 0, "2")}, Route: to("d"), Final: true})
		c := k.claimN("d", newer.ID, 10, 1)
		batch, n, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{})
		if err != nil || n != 1 {
			k.Fatalf("retried %d: %v", n, err)
		}
		if got := k.claimN("d", batch, 10, 0); got.OwnLeft != 1 || got.OwnLeased != 1 {
			k.Errorf("while it is leased: %+v", got)
		}
		k.settle(c, ledger.Outcome{Result: ledger.OutcomeRetry, RetryAt: k.clock.now().Add(time.Second)})
		k.clock.advance(time.Second)
		k.deliver(k.claimN("d", batch, 10, 1))
		same(k, "undone", k.undone(), nil)
	},
	"a batch of retried letters is listed whoever looks while it is made": func(k *kit) {
		stop := make(chan struct{})
		var looking sync.WaitGroup
		looking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := k.Undone(k.Context(), 0, 1000); err != nil {
					k.Error(err)
					return
				}
			}
		})
		defer looking.Wait()
		defer close(stop)
		for range 20 {
			k.settle(k.claimN("d", k.book(5, "d").ID, 5, 5), rejected)
			batch, n, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{})
			if err != nil || n != 5 {
				k.Fatalf("retried %d: %v", n, err)
			}
			same(k, "undone", k.undone(), []int64{batch})
			k.deliver(k.claimN("d", batch, 5, 5))
		}
	},
	"letters outlive the batch that they come from": func(k *kit) {
		k.settle(k.claimN("d", k.book(2, "d").ID, 2, 2), rejected)
		k.clock.advance(time.Hour)
		if p, err := k.Prune(k.Context(), k.clock.now()); err != nil || p.Batches != 1 {
			k.Fatalf("pruned %+v, %v", p, err)
		}
		batch, n, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{})
		if err != nil || n != 2 {
			k.Fatalf("retried %d: %v", n, err)
		}
		same(k, "undone", k.undone(), []int64{batch})
		k.deliver(k.claimN("d", batch, 2, 2))
	},
}
