package event_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"pgregory.net/rapid"
)

var key = event.RecordKey{Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: "INVOICES", PlatformID: "INVOICES_1"}

// drawChanges makes changes with distinct stamps, as the ledger guarantees.
func drawChanges(t *rapid.T) []event.Change {
	n := rapid.IntRange(1, 14).Draw(t, "n")
	values := rapid.SampledFrom([]string{`1.50`, `1.5`, `"PAID"`, `null`, `[{"id":1}]`, `9007199254740993`})
	names := rapid.SampledFrom([]string{"status", "amount_due", "memo", "line_items"})
	var out []event.Change
	for i := range n {
		c := event.Change{Key: key, Stamp: event.Stamp{
			At:  rapid.Int64Range(1, 6).Draw(t, "at"), // few moments: ties are decided by the sequence
			Seq: int64(i + 1),
		}}
		c.Operation = rapid.SampledFrom([]event.Operation{event.Create, event.Update, event.Update, event.Delete}).Draw(t, "op")
		c.Fields = map[string]json.RawMessage{}
		for range rapid.IntRange(0, 3).Draw(t, "fields") {
			c.Fields[names.Draw(t, "name")] = json.RawMessage(values.Draw(t, "value"))
		}
		out = append(out, c)
	}
	return out
}

func describe(r *event.Record) string {
	out := fmt.Sprintf("deleted=%v", r.Deleted())
	for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
		out += fmt.Sprintf(" %s=%s@%v", name, r.Fields[name].Value, r.Fields[name].Stamp)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Visible())) {
		out += fmt.Sprintf(" visible:%s=%s", name, r.Visible()[name])
	}
	return out
}

func TestMergeIgnoresOrderDuplicationAndBatching(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := drawChanges(t)
		inOrder := event.Record{Key: key}
		for _, c := range changes {
			inOrder.Merge(c)
		}

		shuffled := slices.Clone(changes)
		for range rapid.IntRange(0, 5).Draw(t, "duplicates") {
			shuffled = append(shuffled, rapid.SampledFrom(changes).Draw(t, "duplicate"))
		}
		rng := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		batched := event.Record{Key: key}
		for len(shuffled) > 0 {
			n := rapid.IntRange(1, len(shuffled)).Draw(t, "batch")
			batched.Merge(shuffled[:n]...)
			shuffled = shuffled[n:]
		}
		if got, want := describe(&batched), describe(&inOrder); got != want {
			t.Fatalf("shuffled:  %s\nin order: %s", got, want)
		}
	})
}

func TestVersionGrowsOnlyWhenSomethingVisibleChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := event.Record{Key: key}
		for _, c := range drawChanges(t) {
			before := r
			before.Fields = maps.Clone(r.Fields)
			changed := r.Merge(c)
			differs := before.Version == 0 || before.Deleted() != r.Deleted() ||
				!maps.EqualFunc(before.Visible(), r.Visible(), func(a, b json.RawMessage) bool { return string(a) == string(b) })
			if changed != differs {
				t.Fatalf("Merge said changed=%v, the visible record differs=%v", changed, differs)
			}
			want := before.Version
			if changed {
				want++
			}
			if r.Version != want {
				t.Fatalf("version %d, want %d", r.Version, want)
			}
			if r.Merge(c) {
				t.Fatal("the same change again was a change")
			}
			for _, name := range r.ChangedSince(before.Version) {
				if !changed {
					t.Fatalf("field %s has a new version without a change", name)
				}
			}
			for name, value := range r.Visible() {
				if old, ok := before.Visible()[name]; (!ok || string(old) != string(value)) && !slices.Contains(r.ChangedSince(before.Version), name) {
					t.Fatalf("field %s changed and is not listed", name)
				}
			}
		}
	})
}

func TestStateSurvivesEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := event.Record{Key: key}
		r.Merge(drawChanges(t)...)
		b, err := r.EncodeState()
		if err != nil {
			t.Fatal(err)
		}
		got := event.Record{Key: key, Version: r.Version}
		if err := got.DecodeState(b); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if describe(&got) != describe(&r) {
			t.Fatalf("got  %s\nwant %s\nfrom %s", describe(&got), describe(&r), b)
		}
		for name, f := range r.Fields {
			if got.Fields[name].Version != f.Version {
				t.Fatalf("field %s: version %d, want %d", name, got.Fields[name].Version, f.Version)
			}
		}
	})
}

func change(at int64, op event.Operation, fields string) event.Change {
	c := event.Change{Key: key, Operation: op, Stamp: event.Stamp{At: at, Seq: at}}
	if err := json.Unmarshal([]byte(fields), &c.Fields); err != nil {
		panic(err)
	}
	return c
}

func TestMergeRules(t *testing.T) {
	for name, tt := range map[string]struct {
		changes []event.Change
		deleted bool
		content string
		visible string
		version int64
	}{
		"an update before the create still counts": {
			changes: []event.Change{change(2, event.Update, `{"status":"PAID"}`), change(1, event.Create, `{"status":"DRAFT","memo":"m"}`)},
			content: `{"memo":"m","status":"PAID"}`, visible: `{"memo":"m","status":"PAID"}`, version: 2,
		},
		"null sets null, absent says nothing": {
			changes: []event.Change{change(1, event.Create, `{"status":"PAID","memo":"m"}`), change(2, event.Update, `{"memo":null}`)},
			content: `{"memo":null,"status":"PAID"}`, visible: `{"memo":null,"status":"PAID"}`, version: 2,
		},
		"a nested value is replaced whole": {
			changes: []event.Change{change(1, event.Create, `{"line_items":[{"id":1},{"id":2}]}`), change(2, event.Update, `{"line_items":[{"id":2}]}`)},
			content: `{"line_items":[{"id":2}]}`, visible: `{"line_items":[{"id":2}]}`, version: 2,
		},
		"a deleted record has no content and keeps what is known": {
			changes: []event.Change{change(1, event.Create, `{"memo":"m"}`), change(2, event.Delete, `{}`)},
			deleted: true, content: `{}`, visible: `{"memo":"m"}`, version: 2,
		},
		"an older change after the delete does not revive": {
			changes: []event.Change{change(2, event.Delete, `{}`), change(1, event.Create, `{"memo":"m"}`)},
			deleted: true, content: `{}`, visible: `{"memo":"m"}`, version: 2,
		},
		"a newer change revives with the newer fields only": {
			changes: []event.Change{change(1, event.Create, `{"memo":"m","status":"PAID"}`), change(2, event.Delete, `{}`), change(3, event.Update, `{"status":"DRAFT"}`)},
			content: `{"status":"DRAFT"}`, visible: `{"memo":null,"status":"DRAFT"}`, version: 3,
		},
		"an empty create is a record": {
			changes: []event.Change{change(1, event.Create, `{}`)},
			content: `{}`, visible: `{}`, version: 1,
		},
		"a full sync without changes changes nothing": {
			changes: []event.Change{change(1, event.Create, `{"memo":"m"}`), change(2, event.Update, `{"memo":"m"}`), change(3, event.Update, `{"memo":"m"}`)},
			content: `{"memo":"m"}`, visible: `{"memo":"m"}`, version: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := event.Record{Key: key}
			for _, c := range tt.changes {
				r.Merge(c)
			}
			content, _ := json.Marshal(r.Content())
			visible, _ := json.Marshal(r.Visible())
			if r.Deleted() != tt.deleted || string(content) != tt.content || string(visible) != tt.visible || r.Version != tt.version {
				t.Errorf("deleted=%v content=%s visible=%s version=%d; want %v %s %s %d",
					r.Deleted(), content, visible, r.Version, tt.deleted, tt.content, tt.visible, tt.version)
			}
		})
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`1.50`:                        `1.50`,
		`9007199254740993`:            `9007199254740993`,
		` "a b" `:                     `"a b"`,
		`"caf\u00e9 <&>"`:             `"café <&>"`,
		`{"b": 1.10, "a": [1, null]}`: `{"a":[1,null],"b":1.10}`,
		`""`:                          `""`,
	} {
		got, err := event.Canonical(json.RawMessage(in))
		if err != nil || string(got) != want {
			t.Errorf("Canonical(%s) = %s, %v; want %s", in, got, err, want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`"`, `1e400`, `{"a":{"a":[]}}`, `"\ud800"`, "\"\xff\"", ``, `tru`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := event.Canonical(in)
		if err != nil || !json.Valid(in) {
			return
		}
		twice, err := event.Canonical(once)
		if err != nil || string(twice) != string(once) {
			t.Fatalf("not stable: %q then %q (%v)", once, twice, err)
		}
	})
}

func TestEventFromTheFarFutureIsNotBelieved(t *testing.T) {
	received := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for created, want := range map[time.Time]time.Time{
		{}:                                      received,
		received.Add(-time.Hour):                received.Add(-time.Hour),
		received.Add(time.Hour):                 received.Add(time.Hour),
		received.Add(10 * 365 * 24 * time.Hour): received,
	} {
		e := event.Event{CreatedAt: created, ReceivedAt: received}
		if got := e.Time(); !got.Equal(want) {
			t.Errorf("created %v: time %v, want %v", created, got, want)
		}
	}
}
