package ledgertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

var applyTests = map[string]func(*kit){
	"changes become records with versions": func(k *kit) {
		b := k.batch(3)
		var routed []int64
		route := func(m ledger.Merged) []ledger.Want {
			routed = append(routed, m.Record.Version)
			return to("d")(m)
		}
		a := k.apply(ledger.Application{Batch: b.ID, Route: route, Changes: []event.Change{
			set("a", b.FirstSeq, 0, "1.50"), set("b", b.FirstSeq, 1, "2"), set("a", b.FirstSeq+1, 0, "1.5"),
		}})
		if a.Changed != 2 || a.Unchanged != 0 || a.ByModel["INVOICES"] != (ledger.ModelCount{Changes: 3, Changed: 2}) {
			k.Errorf("applied %+v", a)
		}
		a = k.apply(ledger.Application{Batch: b.ID, Route: route, Final: true, Changes: []event.Change{
			set("a", b.FirstSeq+2, 0, "1.5"), set("b", b.FirstSeq+2, 1, "9007199254740993"),
		}})
		if a.Changed != 1 || a.Unchanged != 1 {
			k.Errorf("applied %+v", a)
		}
		same(k, "routed versions", routed, []int64{1, 1, 2})
		r, err := k.RecordsByKey(k.Context(), key("b"))
		k.must(err)
		if len(r) != 1 || r[0].Version != 2 || string(r[0].Fields["amount"].Value) != "9007199254740993" || r[0].Key != key("b") {
			k.Errorf("record %+v", r)
		}
		// What changed nothing leaves its stamp all the same: an older change
		// that comes later must not win.
		r, err = k.RecordsByKey(k.Context(), key("a"))
		k.must(err)
		if got := r[0].Fields["amount"].Stamp.Seq; got != b.FirstSeq+2 {
			k.Errorf("stamp of seq %d, want %d", got, b.FirstSeq+2)
		}
		counts, err := k.ModelCounts(k.Context())
		k.must(err)
		if want := (ledger.ModelCount{Changes: 5, Changed: 3, Unchanged: 1}); counts["INVOICES"] != want {
			k.Errorf("counted %+v, want %+v", counts["INVOICES"], want)
		}
	},
	"applying again changes nothing": func(k *kit) {
		b := k.batch(1)
		in := ledger.Application{
			Batch: b.ID, Route: to("d"), Changes: []event.Change{set("a", b.FirstSeq, 0, "1")},
			Appends: []ledger.AppendWant{
				{Want: ledger.Want{Destination: "log", Route: "r"}, Seq: b.FirstSeq, Index: 0, Model: "INVOICES"},
				{Want: ledger.Want{Destination: "log", Route: "r"}, Seq: b.FirstSeq, Index: -1, Model: "INVOICES"},
			},
			Unkeyed: []ledger.Unkeyed{{Want: ledger.Want{Destination: "d", Route: "r"}, Seq: b.FirstSeq, Index: 1, Model: "INVOICES", Reason: "no id"}},
		}
		describe := func() string {
			r, err := k.RecordsByKey(k.Context(), key("a"))
			k.must(err)
			counts, err := k.DeliveryCounts(k.Context())
			k.must(err)
			models, err := k.ModelCounts(k.Context())
			k.must(err)
			return fmt.Sprint(r[0].Record, r[0].Deliveries, counts, models, len(k.letters(ledger.DeadLetterFilter{})), k.pending(b.ID))
		}
		k.apply(in)
		before := describe()
		for range 2 {
			if a := k.apply(in); a.Changed != 0 {
				k.Errorf("applied again: %+v", a)
			}
			if after := describe(); after != before {
				k.Errorf("before %s\nafter  %s", before, after)
			}
			k.Ledger = k.store.Crash()
		}
		in.Final = true
		k.apply(in)
		k.deliver(k.claimN("d", b.ID, 10, 1))
		k.deliver(k.claimN("log", b.ID, 10, 2))
		before = describe()
		if a := k.apply(in); a.Changed != 0 {
			k.Errorf("applied after delivery: %+v", a)
		}
		if after := describe(); after != before {
			k.Errorf("before %s\nafter  %s", before, after)
		}
		k.claimN("log", b.ID, 10, 0)
	},
	"an applied batch books no more, whatever the routes say now": func(k *kit) {
		b := k.batch(1)
		in := ledger.Application{Batch: b.ID, Route: to("d"), Changes: []event.Change{set("a", b.FirstSeq, 0, "1")}, Final: true}
		k.apply(in)
		k.deliver(k.claimN("d", b.ID, 10, 1))
		same(k, "undone", k.undone(), nil)
		in.Route = to("d", "e")
		in.Appends = []ledger.AppendWant{{Want: ledger.Want{Destination: "log"}, Seq: b.FirstSeq, Index: -1}}
		in.Unkeyed = []ledger.Unkeyed{{Want: ledger.Want{Destination: "log"}, Seq: b.FirstSeq, Index: 0, Reason: "no id"}}
		k.apply(in)
		if p := k.pending(b.ID); len(p) != 0 {
			k.Errorf("pending %v", p)
		}
		if l := k.letters(ledger.DeadLetterFilter{}); len(l) != 0 {
			k.Errorf("dead letters %+v", l)
		}
	},
	"a newer batch supersedes what is wanted": func(k *kit) {
		a, b := k.batch(1), k.batch(1)
		for i, batch := range []ledger.Batch{a, b} {
			k.apply(ledger.Application{
				Batch: batch.ID, Changes: []event.Change{set("a", batch.FirstSeq, 0, fmt.Sprint(i))}, Route: to("d", "e"), Final: true,
				Revision: fmt.Sprint("revision-", i),
			})
		}
		if p := k.pending(b.ID); !maps.Equal(p, map[string]int{"d": 1, "e": 1}) {
			k.Errorf("pending %v", p)
		}
		c := k.claimN("d", a.ID, 10, 1)
		d := c.Items[0]
		if d.Batch != b.ID || d.Wanted != 2 || d.Record.Version != 2 || d.Revision != "revision-1" || d.Route != "route-d" || d.Delivered != 0 {
			k.Errorf("claimed %+v", d)
		}
		k.deliver(c)
		if p := k.pending(b.ID); !maps.Equal(p, map[string]int{"e": 1}) {
			k.Errorf("pending after one delivery %v", p)
		}
	},
	"a no-op books nothing": func(k *kit) {
		b := k.book(1, "d")
		k.deliver(k.claimN("d", b.ID, 10, 1))
		again := k.batch(1)
		k.apply(ledger.Application{Batch: again.ID, Changes: []event.Change{set(fmt.Sprintf("%d-0", b.ID), again.FirstSeq, 0, "1")}, Route: to("d"), Final: true})
		k.claimN("d", again.ID, 10, 0)
		same(k, "undone", k.undone(), nil)
	},
	"a deleted record is delivered as deleted": func(k *kit) {
		b := k.book(1, "d")
		id := fmt.Sprintf("%d-0", b.ID)
		k.deliver(k.claimN("d", b.ID, 10, 1))
		gone := k.batch(1)
		k.apply(ledger.Application{Batch: gone.ID, Route: to("d"), Final: true, Changes: []event.Change{
			{Key: key(id), Operation: event.Delete, Stamp: event.Stamp{At: gone.FirstSeq, Seq: gone.FirstSeq}},
		}})
		d := k.claimN("d", gone.ID, 10, 1).Items[0]
		if !d.Record.Deleted() || d.Delivered != 1 || d.Wanted != 2 {
			k.Errorf("claimed %+v of %+v", d, d.Record)
		}
	},
	"changes and events are delivered as they came": func(k *kit) {
		e := k.ev()
		e.Seq = k.append(e).Seq
		b := k.claimBatch(1)
		k.apply(ledger.Application{Batch: b.ID, Final: true, Appends: []ledger.AppendWant{
			{Want: ledger.Want{Destination: "log", Route: "r"}, Seq: e.Seq, Index: 3, Model: e.Model},
			{Want: ledger.Want{Destination: "log", Route: "s"}, Seq: e.Seq, Index: -1},
		}})
		c := k.claimN("log", b.ID, 10, 2)
		change, whole := c.Items[0], c.Items[1]
		if change.Kind != ledger.DeliverChange || change.Index != 3 || change.Route != "r" || !reflect.DeepEqual(*change.Event, e) {
			k.Errorf("change %+v of %+v", change, change.Event)
		}
		if whole.Kind != ledger.DeliverEvent || whole.Index >= 0 || whole.Route != "s" || !reflect.DeepEqual(*whole.Event, e) {
			k.Errorf("event %+v of %+v", whole, whole.Event)
		}
		k.deliver(c)
		k.claimN("log", b.ID, 10, 0)
		same(k, "undone", k.undone(), nil)
	},
	"a change without a key becomes a dead letter": func(k *kit) {
		e := k.ev()
		seq := k.append(e).Seq
		b := k.claimBatch(1)
		k.apply(ledger.Application{Batch: b.ID, Final: true, Unkeyed: []ledger.Unkeyed{
			{Want: ledger.Want{Destination: "d", Route: "r"}, Seq: seq, Index: 2, Model: "INVOICES", Reason: "it has no id"},
		}})
		all := k.letters(ledger.DeadLetterFilter{})
		if len(all) != 1 {
			k.Fatalf("dead letters: %+v", all)
		}
		d := all[0]
		if d.Destination != "d" || d.Route != "r" || d.Kind != ledger.DeliverChange || d.EventSeq != seq || d.EventID != e.ID || d.Index != 2 ||
			d.Message != "it has no id" || d.ErrorKind != "unkeyed" || d.State != "open" || !d.CreatedAt.Equal(k.clock.now()) {
			k.Errorf("dead letter %+v", d)
		}
		if n, err := k.Dead(k.Context(), b.ID, "d"); n != 1 || err != nil {
			k.Errorf("dead %d, %v", n, err)
		}
	},
	"a failed application leaves nothing": func(k *kit) {
		b := k.batch(1)
		boom := errors.New("boom")
		_, err := k.Apply(k.Context(), ledger.Application{
			Batch: b.ID, Final: true,
			Changes: []event.Change{set("a", b.FirstSeq, 0, "1"), set("b", b.FirstSeq, 1, "1")},
			Route: func(m ledger.Merged) []ledger.Want {
				if m.Record.Key.PlatformID == "b" {
					panic(boom)
				}
				return to("d")(m)
			},
		})
		if err == nil {
			k.Fatal("no error from a route that panics")
		}
		_, err = k.RecordsByKey(k.Context(), key("a"))
		k.notFound(err)
		same(k, "undone", k.undone(), []int64{b.ID})
		k.apply(ledger.Application{Batch: b.ID, Final: true, Route: to("d"), Changes: []event.Change{set("a", b.FirstSeq, 0, "1")}})
		k.claimN("d", b.ID, 10, 1)
	},
	"keys that differ in one element are different records": func(k *kit) {
		b := k.batch(1)
		keys := []event.RecordKey{
			{Source: "s", CompanyID: "c", Integration: "i", Model: "m", PlatformID: "p"},
			{Source: "S", CompanyID: "c", Integration: "i", Model: "m", PlatformID: "p"},
			{Source: "s", CompanyID: "C", Integration: "i", Model: "m", PlatformID: "p"},
			{Source: "s", CompanyID: "c", Integration: "", Model: "m", PlatformID: "p"},
			{Source: "s", CompanyID: "c", Integration: "i", Model: "M", PlatformID: "p"},
			{Source: "s", CompanyID: "c", Integration: "i", Model: "m", PlatformID: "P"},
		}
		var changes []event.Change
		for i, key := range keys {
			changes = append(changes, event.Change{Key: key, Operation: event.Create, Stamp: event.Stamp{Seq: b.FirstSeq, Index: int64(i)},
				Fields: map[string]json.RawMessage{"n": json.RawMessage(fmt.Sprint(i))}})
		}
		k.apply(ledger.Application{Batch: b.ID, Changes: changes, Final: true, Route: to("d")})
		c := k.claimN("d", b.ID, 10, len(keys))
		for i, d := range c.Items {
			if d.Record.Key != keys[i] || string(d.Record.Fields["n"].Value) != fmt.Sprint(i) {
				k.Errorf("record %d: %+v", i, d.Record)
			}
		}
	},
}
