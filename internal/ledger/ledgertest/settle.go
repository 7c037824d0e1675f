package ledgertest

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

var settleTests = map[string]func(*kit){
	"a failure is counted and kept whole": func(k *kit) {
		b := k.book(1, "d")
		id := fmt.Sprintf("%d-0", b.ID)
		began := k.clock.now()
		for i := range 3 {
			at := k.clock.now().Add(time.Minute)
			k.settle(k.claimN("d", b.ID, 10, 1), ledger.Outcome{
				Result: ledger.OutcomeRetry, RetryAt: at, ErrorKind: "retry", Code: "E42", Message: "the whole message",
			})
			s := k.state(id)
			if s.State != "waiting" || s.Attempts != i+1 || s.ErrorKind != "retry" || s.Code != "E42" || s.Message != "the whole message" ||
				!s.RetryAt.Equal(at) || !s.DeliveredAt.IsZero() || s.Wanted != 1 || s.Delivered != 0 {
				k.Errorf("after failure %d: %+v", i+1, s)
			}
			k.clock.advance(time.Minute)
		}
		c := k.claimN("d", b.ID, 10, 1)
		if d := c.Items[0]; d.Attempts != 3 || !d.FirstFail.Equal(began) {
			k.Errorf("claimed %+v, want 3 attempts since %s", d, began)
		}
		k.deliver(c)
		s := k.state(id)
		if s.State != "delivered" || s.Attempts != 0 || s.ErrorKind+s.Code+s.Message != "" || s.Delivered != 1 || !s.DeliveredAt.Equal(k.clock.now()) ||
			s.Route != "route-d" || s.Revision != "revision" {
			k.Errorf("after success: %+v", s)
		}
	},
	"a wait counts nothing": func(k *kit) {
		b := k.book(1, "d")
		k.settle(k.claimN("d", b.ID, 10, 1), ledger.Outcome{Result: ledger.OutcomeWait, RetryAt: k.clock.now().Add(time.Minute), ErrorKind: "throttled"})
		k.claimN("d", b.ID, 10, 0)
		k.clock.advance(time.Minute)
		if d := k.claimN("d", b.ID, 10, 1).Items[0]; d.Attempts != 0 || d.Suspect != 0 || !d.FirstFail.IsZero() {
			k.Errorf("claimed %+v", d)
		}
	},
	"a newer version that came meanwhile is delivered next": func(k *kit) {
		for name, result := range map[string]ledger.OutcomeKind{"delivered": ledger.OutcomeDelivered, "dead": ledger.OutcomeDead} {
			b := k.book(1, name)
			id := fmt.Sprintf("%d-0", b.ID)
			c := k.claimN(name, b.ID, 10, 1)
			newer := k.batch(1)
			k.apply(ledger.Application{Batch: newer.ID, Changes: []event.Change{set(id, newer.FirstSeq, 0, "2")}, Route: to(name), Final: true})
			if got := k.claimN(name, newer.ID, 10, 0); got.OwnLeft != 1 || got.OwnLeased != 1 {
				k.Errorf("%s: while the older write is on its way: %+v", name, got)
			}
			k.settle(c, ledger.Outcome{Result: result})
			if n := k.pending(newer.ID)[name]; n != 1 {
				k.Errorf("%s: pending %d after the older write, want 1", name, n)
			}
			if l := k.letters(ledger.DeadLetterFilter{}); len(l) != 0 {
				k.Errorf("%s: dead letters %+v", name, l)
			}
			d := k.claimN(name, newer.ID, 10, 1)
			wantDelivered := int64(0)
			if result == ledger.OutcomeDelivered {
				wantDelivered = 1
			}
			if got := d.Items[0]; got.Wanted != 2 || got.Delivered != wantDelivered || got.Record.Version != 2 || got.Attempts != 0 {
				k.Errorf("%s: claimed %+v", name, got)
			}
			k.deliver(d)
			if s := k.state(id); s.State != "delivered" || s.Delivered != 2 {
				k.Errorf("%s: %+v", name, s)
			}
		}
		same(k, "undone", k.undone(), nil)
	},
	"a newer version starts with a clean slate": func(k *kit) {
		b := k.book(1, "d")
		k.settle(k.claimN("d", b.ID, 10, 1), ledger.Outcome{Result: ledger.OutcomeRetry, Lost: true, RetryAt: k.clock.now().Add(time.Hour)})
		newer := k.batch(1)
		k.apply(ledger.Application{Batch: newer.ID, Changes: []event.Change{set(fmt.Sprintf("%d-0", b.ID), newer.FirstSeq, 0, "2")}, Route: to("d"), Final: true})
		if d := k.claimN("d", newer.ID, 10, 1).Items[0]; d.Attempts != 0 || d.Suspect != 0 || !d.FirstFail.IsZero() {
			k.Errorf("claimed %+v", d)
		}
	},
	"the delivered version never goes back": func(k *kit) {
		b := k.book(1, "d")
		id := fmt.Sprintf("%d-0", b.ID)
		for i := range 2 {
			newer := k.batch(1)
			k.apply(ledger.Application{Batch: newer.ID, Changes: []event.Change{set(id, newer.FirstSeq, 0, fmt.Sprint(i+2))}, Route: to("d"), Final: true})
		}
		k.deliver(k.claimN("d", 0, 10, 1))
		newer := k.batch(1)
		k.apply(ledger.Application{Batch: newer.ID, Changes: []event.Change{set(id, newer.FirstSeq, 0, "9")}, Route: to("d"), Final: true})
		c := k.claimN("d", 0, 10, 1)
		k.must(k.Settle(k.Context(), c.Token, []ledger.Outcome{{DeliveryID: c.Items[0].ID, Result: ledger.OutcomeDelivered, Version: 1}}))
		if s := k.state(id); s.Delivered != 3 || s.Wanted != 4 || s.State != "waiting" {
			k.Errorf("%+v", s)
		}
	},
}
