package ledgertest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// bookOne makes a batch with one record, wanted at the destinations.
func (k *kit) bookOne(id, value string, destinations ...string) ledger.Batch {
	k.Helper()
	b := k.batch(1)
	k.apply(ledger.Application{Batch: b.ID, Final: true, Route: to(destinations...), Changes: []event.Change{set(id, b.FirstSeq, 0, value)}})
	return b
}

func (k *kit) block(c ledger.Claim, parents ...string) {
	k.Helper()
	o := ledger.Outcome{Result: ledger.OutcomeBlocked, RetryAt: k.clock.now().Add(time.Hour), ErrorKind: "dependency", Code: "parent", Message: "whole"}
	for _, id := range parents {
		o.Parents = append(o.Parents, key(id))
	}
	k.settle(c, o)
}

var blockTests = map[string]func(*kit){
	"what waits for a parent follows as soon as it is there": func(k *kit) {
		child := k.bookOne("child", "1", "d", "e")
		k.block(k.claimN("d", child.ID, 10, 1), "parent")
		began := k.clock.now()
		if c := k.claimN("d", child.ID, 10, 0); c.OwnLeft != 1 || !c.NextDue.Equal(began.Add(time.Hour)) {
			k.Errorf("while it waits: %+v", c)
		}
		k.clock.advance(time.Minute)
		parent := k.bookOne("parent", "1", "d", "e")
		k.deliver(k.claimN("e", parent.ID, 1, 1)) // at another destination: wakes nobody
		k.deliver(k.claimN("d", parent.ID, 1, 1))
		c := k.claimN("d", 0, 10, 1)
		if d := c.Items[0]; d.Record.Key.PlatformID != "child" || d.Attempts != 0 || !d.FirstFail.IsZero() || !d.Blocked.Equal(began) {
			k.Errorf("woken %+v", d)
		}
		k.deliver(c)
		if s := k.pending(child.ID)["d"]; s != 0 {
			k.Errorf("pending %d", s)
		}
	},
	"a parent that came while somebody looked is not missed": func(k *kit) {
		child := k.bookOne("child", "1", "d")
		c := k.claimN("d", child.ID, 10, 1)
		k.bookOne("parent", "1", "d")
		k.deliver(k.claimN("d", 0, 10, 1))
		k.block(c, "parent")
		k.claimN("d", child.ID, 10, 1)
	},
	"a parent in the same settlement wakes": func(k *kit) {
		b := k.batch(1)
		k.apply(ledger.Application{Batch: b.ID, Final: true, Route: to("d"), Changes: []event.Change{
			set("child", b.FirstSeq, 0, "1"), set("parent", b.FirstSeq, 1, "1"),
		}})
		c := k.claimN("d", b.ID, 10, 2)
		k.must(k.Settle(k.Context(), c.Token, []ledger.Outcome{
			{DeliveryID: c.Items[0].ID, Result: ledger.OutcomeBlocked, RetryAt: k.clock.now().Add(time.Hour), Parents: []event.RecordKey{key("parent")}},
			{DeliveryID: c.Items[1].ID, Result: ledger.OutcomeDelivered, Version: 1},
		}))
		same(k, "woken", recordIDs(k.claimN("d", b.ID, 10, 1)), []string{"child"})
	},
	"a parent that was seen wakes with its next delivery": func(k *kit) {
		k.bookOne("parent", "1", "d")
		k.deliver(k.claimN("d", 0, 10, 1))
		child := k.bookOne("child", "1", "d")
		k.settle(k.claimN("d", child.ID, 10, 1), ledger.Outcome{
			Result: ledger.OutcomeBlocked, RetryAt: k.clock.now().Add(time.Hour), Parents: []event.RecordKey{key("parent")}, Seen: true,
		})
		k.claimN("d", child.ID, 10, 0)
		again := k.bookOne("parent", "2", "d")
		k.deliver(k.claimN("d", again.ID, 1, 1))
		same(k, "woken", recordIDs(k.claimN("d", child.ID, 10, 1)), []string{"child"})
	},
	"a wait for a parent ends at its moment": func(k *kit) {
		child := k.bookOne("child", "1", "d")
		k.block(k.claimN("d", child.ID, 10, 1), "parent")
		began := k.clock.now()
		k.clock.advance(time.Hour)
		c := k.claimN("d", child.ID, 10, 1)
		if !c.Items[0].Blocked.Equal(began) {
			k.Errorf("blocked since %s, want %s", c.Items[0].Blocked, began)
		}
		k.block(c, "parent")
		k.clock.advance(time.Hour)
		c = k.claimN("d", child.ID, 10, 1)
		if !c.Items[0].Blocked.Equal(began) {
			k.Errorf("again blocked since %s, want %s", c.Items[0].Blocked, began)
		}
		k.settle(c, ledger.Outcome{Result: ledger.OutcomeDead, ErrorKind: "parent_missing"})
		if s := k.state("child"); s.State != "dead" || s.ErrorKind != "parent_missing" {
			k.Errorf("%+v", s)
		}
		_, _, err := k.RetryDeadLetters(k.Context(), ledger.DeadLetterFilter{})
		k.must(err)
		if d := k.claimN("d", 0, 10, 1).Items[0]; !d.Blocked.IsZero() {
			k.Errorf("retried: blocked since %s", d.Blocked)
		}
	},
	"pauses do not use up the wait": func(k *kit) {
		child := k.bookOne("child", "1", "d")
		k.block(k.claimN("d", child.ID, 10, 1), "parent")
		began := k.clock.now()
		k.must(k.Pause(k.Context(), ledger.Pause{Destination: "d", Reason: ledger.PauseOperator, Since: began}))
		k.clock.advance(2 * time.Hour)
		k.must(k.Resume(k.Context(), "d"))
		if d := k.claimN("d", child.ID, 10, 1).Items[0]; !d.Blocked.Equal(began.Add(2 * time.Hour)) {
			k.Errorf("blocked since %s", d.Blocked)
		}
	},
	"a newer version waits anew": func(k *kit) {
		child := k.bookOne("child", "1", "d")
		k.block(k.claimN("d", child.ID, 10, 1), "parent")
		newer := k.bookOne("child", "2", "d")
		c := k.claimN("d", newer.ID, 10, 1)
		if d := c.Items[0]; !d.Blocked.IsZero() {
			k.Errorf("blocked since %s", d.Blocked)
		}
	},
	"arrived are those that were delivered in some version": func(k *kit) {
		k.bookOne("there", "1", "d")
		k.deliver(k.claimN("d", 0, 10, 1))
		k.bookOne("there", "2", "d")
		k.bookOne("waiting", "1", "d")
		k.bookOne("elsewhere", "1", "e")
		k.deliver(k.claimN("e", 0, 10, 1))
		keys := []event.RecordKey{key("missing"), key("waiting"), key("there"), key("elsewhere")}
		got, err := k.Arrived(k.Context(), "d", keys)
		k.must(err)
		same(k, "arrived", got, keys[2:3])
		got, err = k.Arrived(k.Context(), "never", keys)
		k.must(err)
		same(k, "at a destination that got nothing", got, nil)
	},
	"a parent with a name that no record can have hinders nobody": func(k *kit) {
		// A foreign key may hold anything. This is more than an index takes, and
		// cannot be made shorter by compressing it.
		var name strings.Builder
		for r := rand.New(rand.NewPCG(1, 2)); name.Len() < 16<<10; {
			fmt.Fprintf(&name, "%x", r.Uint64())
		}
		b := k.batch(1)
		k.apply(ledger.Application{Batch: b.ID, Final: true, Route: to("d"), Changes: []event.Change{
			set("child", b.FirstSeq, 0, "1"), set("other", b.FirstSeq, 1, "1"),
		}})
		c := k.claimN("d", b.ID, 10, 2)
		k.must(k.Settle(k.Context(), c.Token, []ledger.Outcome{
			{DeliveryID: c.Items[0].ID, Result: ledger.OutcomeBlocked, RetryAt: k.clock.now().Add(time.Hour), Parents: []event.RecordKey{key(name.String())}},
			{DeliveryID: c.Items[1].ID, Result: ledger.OutcomeDelivered, Version: 1},
		}))
		if n := k.pending(b.ID)["d"]; n != 1 {
			k.Errorf("%d wait, want the child", n)
		}
		k.clock.advance(time.Hour)
		same(k, "after the wait", recordIDs(k.claimN("d", b.ID, 10, 1)), []string{"child"})
	},
	"many wait for one parent": func(k *kit) {
		var ids []string
		b := k.batch(1)
		var changes []event.Change
		for i := range 20 {
			ids = append(ids, fmt.Sprint("child-", i))
			changes = append(changes, set(ids[i], b.FirstSeq, i, "1"))
		}
		k.apply(ledger.Application{Batch: b.ID, Final: true, Route: to("d"), Changes: changes})
		k.block(k.claimN("d", b.ID, 100, 20), "other", "parent")
		k.bookOne("parent", "1", "d")
		k.deliver(k.claimN("d", 0, 1, 1))
		same(k, "woken", recordIDs(k.claimN("d", 0, 100, 20)), ids)
	},
}
