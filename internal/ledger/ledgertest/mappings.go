package ledgertest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

var mappingTests = map[string]func(*kit){
	"a route is told what a record was before": func(k *kit) {
		b := k.batch(2)
		var before []string
		route := func(m ledger.Merged) []ledger.Want {
			before = append(before, fmt.Sprintf("%d:%s→%s by %d", m.Before.Version, m.Before.Fields["amount"].Value, m.Record.Fields["amount"].Value, len(m.Changes)))
			return nil
		}
		k.apply(ledger.Application{Batch: b.ID, Before: true, Route: route, Changes: []event.Change{set("a", b.FirstSeq, 0, "1"), set("a", b.FirstSeq, 1, "2")}})
		k.apply(ledger.Application{Batch: b.ID, Before: true, Route: route, Final: true, Changes: []event.Change{set("a", b.LastSeq, 0, "3")}})
		same(k, "before", before, []string{"0:→2 by 2", "1:2→3 by 1"})
		next := k.batch(1)
		k.apply(ledger.Application{Batch: next.ID, Final: true, Changes: []event.Change{set("a", next.FirstSeq, 0, "4")}, Route: func(m ledger.Merged) []ledger.Want {
			if m.Before != nil {
				k.Errorf("before %+v, which nobody asked for", m.Before)
			}
			return nil
		}})
	},
	"related records are those that exist, as they are now": func(k *kit) {
		b := k.batch(2)
		gone := set("b", b.LastSeq, 0, "1")
		gone.Operation = event.Delete
		k.apply(ledger.Application{Batch: b.ID, Final: true, Changes: []event.Change{
			set("a", b.FirstSeq, 0, "1"), set("b", b.FirstSeq, 1, "1"), set("a", b.LastSeq, 1, "2.50"), gone,
		}})
		other := key("a")
		other.CompanyID = "1"
		odd := key(`"],["`)
		got, err := k.Related(k.Context(), []event.RecordKey{key("missing"), key("b"), other, key("a"), odd})
		k.must(err)
		slices.SortFunc(got, func(x, y event.Record) int { return slices.Compare([]byte(x.Key.PlatformID), []byte(y.Key.PlatformID)) })
		if len(got) != 2 || got[0].Key != key("a") || string(got[0].Fields["amount"].Value) != "2.50" || got[0].Version != 1 || got[1].Key != key("b") || !got[1].Deleted() {
			k.Errorf("related %+v", got)
		}
		none, err := k.Related(k.Context(), nil)
		if k.must(err); len(none) != 0 {
			k.Errorf("related to nothing: %+v", none)
		}
	},
	"elements are remembered from before they are written": func(k *kit) {
		b := k.book(1, "d")
		children := func(want string) ledger.Claim {
			k.Helper()
			c := k.claimN("d", 0, 10, 1)
			if got := describeChildren(c.Items[0].Children); got != want {
				k.Errorf("children %s, want %s", got, want)
			}
			return c
		}
		fail := func(c ledger.Claim) {
			k.settle(c, ledger.Outcome{Result: ledger.OutcomeRetry, RetryAt: k.clock.now()})
			k.clock.advance(time.Second)
		}
		intend := func(c ledger.Claim, now map[string][]string) {
			k.must(k.Intend(k.Context(), c.Token, map[int64]map[string][]string{c.Items[0].ID: now}))
		}
		c := children("")
		intend(c, map[string][]string{"lines": {"2", "1"}})
		fail(c)
		c = children("lines=1,2")
		intend(c, map[string][]string{"lines": {"2", "3"}, "taxes": {"x"}})
		fail(c)
		k.reopen()
		c = children("lines=1,2,3 taxes=x")
		k.settle(c, ledger.Outcome{Result: ledger.OutcomeDelivered, Children: map[string][]string{"lines": {"3"}}})
		again := func() {
			newer := k.batch(1)
			k.apply(ledger.Application{Batch: newer.ID, Final: true, Route: to("d"), Changes: []event.Change{set(fmt.Sprintf("%d-0", b.ID), newer.FirstSeq, 0, fmt.Sprint(newer.ID))}})
		}
		again()
		c = children("lines=3")
		k.deliver(c) // says nothing of elements
		again()
		c = children("lines=3")
		k.settle(c, ledger.Outcome{Result: ledger.OutcomeDelivered, Children: map[string][]string{}})
		again()
		children("")
	},
	"unrouted events are listed": func(k *kit) {
		b := k.batch(4)
		in := ledger.Application{Batch: b.ID, Unrouted: []int64{b.FirstSeq, b.FirstSeq + 2}}
		if a := k.apply(in); a.Unrouted != 2 {
			k.Errorf("applied %+v", a)
		}
		in.Unrouted, in.Final = append(in.Unrouted, b.LastSeq), true
		if a := k.apply(in); a.Unrouted != 1 {
			k.Errorf("applied again %+v", a)
		}
		list := func(f ledger.EventFilter) (seqs []int64) {
			f.Unrouted = true
			got, err := k.ListEvents(k.Context(), f)
			k.must(err)
			for _, e := range got {
				seqs = append(seqs, e.Seq)
			}
			return seqs
		}
		same(k, "all", list(ledger.EventFilter{}), []int64{b.LastSeq, b.FirstSeq + 2, b.FirstSeq})
		same(k, "a page", list(ledger.EventFilter{Limit: 1, BeforeSeq: b.LastSeq}), []int64{b.FirstSeq + 2})
		same(k, "of another source", list(ledger.EventFilter{Source: "other"}), nil)
		k.clock.advance(time.Hour)
		same(k, "undone", k.undone(), nil)
		_, err := k.Prune(k.Context(), k.clock.now())
		k.must(err)
		same(k, "after retention", list(ledger.EventFilter{}), nil)
	},
}

func describeChildren(children map[string][]string) string {
	out := ""
	for _, object := range slices.Sorted(maps.Keys(children)) {
		if out != "" {
			out += " "
		}
		ids := slices.Sorted(slices.Values(children[object]))
		out += object + "="
		for i, id := range ids {
			if i > 0 {
				out += ","
			}
			out += id
		}
	}
	return out
}
