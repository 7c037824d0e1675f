package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

// listPayloads reads bodies like [{"id":"1","a":2}]: one change for each element.
type listPayloads struct{}

func (listPayloads) Changes(ev event.Event) (out []event.Change, unkeyed []Unkeyed, err error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(ev.Body, &list); err != nil {
		return nil, nil, errors.New("the body is no list")
	}
	for i, fields := range list {
		var id string
		if json.Unmarshal(fields["id"], &id) != nil {
			unkeyed = append(unkeyed, Unkeyed{Index: i, Reason: "no id"})
			continue
		}
		delete(fields, "id")
		out = append(out, event.Change{
			Key:       event.RecordKey{Source: ev.Source, CompanyID: ev.CompanyID, Integration: ev.Integration, Model: ev.Model, PlatformID: id},
			Operation: ev.Operation, Stamp: ev.Stamp(i), Fields: fields,
		})
	}
	return out, unkeyed, nil
}

// routed is a pipe with the given routes.
func routed(t *testing.T, destinations []string, routes ...config.Route) *pipe {
	t.Helper()
	b := newPipe(t, quick)
	table, err := routing.Compile(routes)
	if err != nil {
		t.Fatal(err)
	}
	plans, err := mapping.Compile(routes)
	if err != nil {
		t.Fatal(err)
	}
	settings := &Settings{Table: table, Plans: plans, Revision: "rev", Destinations: make(map[string]Destination)}
	for _, name := range destinations {
		settings.Destinations[name] = quick
	}
	b.a.settings = func() *Settings { return settings }
	b.a.payloads = map[string]Payloads{"list": listPayloads{}}
	return b
}

// take appends events and claims them as one batch.
func (b *pipe) take(events ...event.Event) ledger.Batch {
	b.Helper()
	for _, ev := range events {
		b.events++
		if ev.ID == "" {
			ev.ID = fmt.Sprint("e", b.events)
		}
		if ev.Format == "" {
			ev.Format = "list/v1"
		}
		ev.Source, ev.ReceivedAt = "s", time.Now()
		if _, err := b.Append(b.Context(), ev); err != nil {
			b.Fatal(err)
		}
	}
	batch, ok, err := b.ClaimBatch(b.Context(), 1000)
	if err != nil || !ok {
		b.Fatal(err, ok)
	}
	return batch
}

func (b *pipe) apply(batch int64) ApplyResult {
	b.Helper()
	got, err := b.a.Apply(b.Context(), ApplyInput{Batch: batch})
	if err != nil {
		b.Fatal(err)
	}
	return got
}

func bills(body string) event.Event {
	return event.Event{Kind: event.KindDataModelChanges, Model: "BILLS", Operation: event.Update, CompanyID: "1", Body: []byte(body)}
}

func waitingAt(r ApplyResult) map[string]int {
	out := make(map[string]int)
	for _, d := range r.Destinations {
		out[d.Name] = d.Waiting
	}
	return out
}

func TestApply(t *testing.T) {
	records := config.Route{Name: "records", To: []string{"warehouse"}}
	changes := config.Route{Name: "changes", Events: []string{"*"}, Mode: "changes", To: []string{"audit"}}
	synced := event.Event{Kind: event.KindSyncCompleted, CompanyID: "1", Body: []byte(`{}`)}
	for name, tt := range map[string]struct {
		routes             []config.Route
		events             []event.Event
		changed, unchanged int
		waiting            map[string]int
		dead               int
	}{
		"records are merged": {
			routes:  []config.Route{records},
			events:  []event.Event{bills(`[{"id":"1","a":1},{"id":"2","a":1}]`), bills(`[{"id":"1","b":2}]`)},
			changed: 2, waiting: map[string]int{"warehouse": 2},
		},
		"changes are not": {
			routes:  []config.Route{changes},
			events:  []event.Event{bills(`[{"id":"1","a":1},{"id":"2","a":1}]`), bills(`[{"id":"1","b":2}]`)},
			changed: 2, waiting: map[string]int{"audit": 3},
		},
		"both at once": {
			routes:  []config.Route{records, changes},
			events:  []event.Event{bills(`[{"id":"1","a":1},{"id":"1","a":2}]`)},
			changed: 1, waiting: map[string]int{"warehouse": 1, "audit": 2},
		},
		"events are delivered whole": {
			routes: []config.Route{records, changes}, events: []event.Event{synced, synced},
			waiting: map[string]int{"audit": 2},
		},
		"what no route wants is merged all the same": {
			routes: []config.Route{{Name: "none", Models: []string{"OTHER"}, To: []string{"warehouse"}}},
			events: []event.Event{bills(`[{"id":"1","a":1}]`), synced}, changed: 1,
		},
		"an element without identity": {
			routes:  []config.Route{records, changes},
			events:  []event.Event{bills(`[{"a":1},{"id":"2","a":1}]`)},
			changed: 1, waiting: map[string]int{"warehouse": 1, "audit": 1}, dead: 2,
		},
		"a body that cannot be read": {
			routes: []config.Route{records, changes}, events: []event.Event{bills(`{}`)}, dead: 2,
		},
		"a format of another version": {
			routes: []config.Route{records},
			events: []event.Event{{Kind: event.KindDataModelChanges, Model: "BILLS", Format: "future/v9", Body: []byte(`[]`)}}, dead: 1,
		},
		"a destination that left the configuration": {
			routes:  []config.Route{{Name: "records", To: []string{"warehouse", "gone"}}},
			events:  []event.Event{bills(`[{"id":"1","a":1}]`)},
			changed: 1, waiting: map[string]int{"warehouse": 1},
		},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			b := routed(t, []string{"warehouse", "audit"}, tt.routes...)
			batch := b.take(tt.events...)
			got := b.apply(batch.ID)
			if got.Changed != tt.changed || got.Unchanged != tt.unchanged {
				t.Errorf("%d changed, %d unchanged, want %d and %d", got.Changed, got.Unchanged, tt.changed, tt.unchanged)
			}
			if !maps.Equal(waitingAt(got), tt.waiting) {
				t.Errorf("waiting: %v, want %v", waitingAt(got), tt.waiting)
			}
			letters, err := b.ListDeadLetters(t.Context(), ledger.DeadLetterFilter{})
			if err != nil || len(letters) != tt.dead {
				t.Errorf("dead letters: %+v, %v, want %d", letters, err, tt.dead)
			}

			// Temporal may run it again at any time.
			again := b.apply(batch.ID)
			if again.Changed != 0 || again.Unchanged != 0 || !maps.Equal(waitingAt(again), tt.waiting) {
				t.Errorf("applied again: %+v", again)
			}
			if letters, _ = b.ListDeadLetters(t.Context(), ledger.DeadLetterFilter{}); len(letters) != tt.dead {
				t.Errorf("applied again: %d dead letters", len(letters))
			}
		}))
	}
}

func TestSecondWebhookThatSaysNothingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := routed(t, []string{"warehouse"}, config.Route{Name: "records", To: []string{"warehouse"}})
		b.apply(b.take(bills(`[{"id":"1","a":1},{"id":"2","a":1}]`)).ID)
		got := b.apply(b.take(bills(`[{"id":"1","a":1},{"id":"2","a":2}]`)).ID)
		if got.Changed != 1 || got.Unchanged != 1 {
			t.Errorf("%+v, want one changed and one unchanged", got)
		}
	})
}

// failAt fails the ledger once.
type failAt struct {
	Store
	n int
}

var errLedger = errors.New("no room")

func (s *failAt) Apply(ctx context.Context, in ledger.Application) (ledger.Applied, error) {
	if s.n--; s.n == 0 {
		return ledger.Applied{}, errLedger
	}
	return s.Store.Apply(ctx, in)
}

func TestApplyThatIsCutOffGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := routed(t, []string{"warehouse"}, config.Route{Name: "records", To: []string{"warehouse"}})
		var body strings.Builder
		n := 3*applyChanges + 7
		for i := range n {
			fmt.Fprintf(&body, `,{"id":"%d","a":1}`, i)
		}
		batch := b.take(bills("[" + body.String()[1:] + "]"))
		b.a.store = &failAt{Store: b.Ledger, n: 3}
		if _, err := b.a.Apply(t.Context(), ApplyInput{Batch: batch.ID}); !errors.Is(err, errLedger) {
			t.Fatalf("got %v, want the ledger's error", err)
		}
		got := b.apply(batch.ID)
		if waiting := waitingAt(got)["warehouse"]; waiting != n {
			t.Errorf("%d wait, want %d", waiting, n)
		}
		seen := make(map[string]int64)
		b.w.write = func(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
			for _, r := range batch.Records {
				seen[r.Key[2]] = r.Version
			}
			return delivered(batch), nil
		}
		if err := b.deliverTo("warehouse", batch.ID, 5); err != nil {
			t.Fatal(err)
		}
		if len(seen) != n || slices.Max(slices.Collect(maps.Values(seen))) != 1 {
			t.Errorf("%d records, versions up to %d, want %d in version 1", len(seen), slices.Max(slices.Collect(maps.Values(seen))), n)
		}
	})
}
