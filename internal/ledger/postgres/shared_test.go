package postgres_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/pgtest"
)

func two(t *testing.T) (a, b *postgres.Ledger) {
	o := postgres.Options{URL: pgtest.URL(t), MaxConnections: 4}
	return open(t, o), open(t, o)
}

func TestOneInstanceLeads(t *testing.T) {
	a, b := two(t)
	lead := func(l *postgres.Ledger, task string, hold time.Duration) bool {
		t.Helper()
		ok, err := l.Lead(t.Context(), task, hold)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	for range 2 {
		if !lead(a, "sweep", time.Hour) {
			t.Error("the first instance does not lead")
		}
	}
	if lead(b, "sweep", time.Hour) {
		t.Error("two instances lead")
	}
	if !lead(b, "prune", time.Hour) {
		t.Error("another task has a leader already")
	}
	// An instance that is not heard of loses the task with its time.
	lead(a, "sweep", time.Millisecond)
	for deadline := time.Now().Add(10 * time.Second); !lead(b, "sweep", time.Hour); {
		if time.Now().After(deadline) {
			t.Fatal("nobody follows an instance that is gone")
		}
	}
	if lead(a, "sweep", time.Hour) {
		t.Error("two instances lead")
	}
}

func TestPaceHoldsOverInstances(t *testing.T) {
	a, b := two(t)
	// So few in a second that the time of the test itself does not matter.
	const perSecond, step = 0.01, 100 * time.Second
	for i, l := range []*postgres.Ledger{a, b, a, b} {
		wait, ok, err := l.Pace(t.Context(), "d", perSecond, time.Hour)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if want := time.Duration(i) * step; wait > want || wait < want-step/2 {
			t.Errorf("write %d waits %v, want %v", i, wait, want)
		}
	}
	wait, ok, err := a.Pace(t.Context(), "d", perSecond, time.Minute)
	if err != nil || ok || wait < 3*step {
		t.Errorf("%v %v %v, want to be told to come back in more than five minutes", wait, ok, err)
	}
	// What was refused has reserved nothing.
	if wait, ok, err := b.Pace(t.Context(), "d", perSecond, time.Hour); err != nil || !ok || wait > 4*step {
		t.Errorf("%v %v %v", wait, ok, err)
	}
	if wait, ok, err := b.Pace(t.Context(), "other", perSecond, 0); err != nil || !ok || wait != 0 {
		t.Errorf("another destination waits: %v %v %v", wait, ok, err)
	}
}

func TestProgressOfABatch(t *testing.T) {
	a, b := two(t)
	ctx := t.Context()
	body := []byte(`{"data":[{"platform_id":"1"}]}`)
	ev := event.Event{Source: "rootfi", ID: "e1", Kind: event.KindDataModelChanges, Format: "rootfi/v3", ReceivedAt: time.Now(), Body: body}
	if _, err := a.Append(ctx, ev); err != nil {
		t.Fatal(err)
	}
	batch, ok, err := a.ClaimBatch(ctx, 10)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if applied, waiting, err := b.Progress(ctx, batch.ID); err != nil || applied || len(waiting) != 0 {
		t.Errorf("%v %v %v before it is applied", applied, waiting, err)
	}
	want := ledger.AppendWant{Want: ledger.Want{Destination: "audit", Route: "all"}, Seq: batch.FirstSeq, Index: -1}
	if _, err := a.Apply(ctx, ledger.Application{Batch: batch.ID, Appends: []ledger.AppendWant{want}, Final: true}); err != nil {
		t.Fatal(err)
	}
	if applied, waiting, err := b.Progress(ctx, batch.ID); err != nil || !applied || len(waiting) != 1 || waiting["audit"] != 1 {
		t.Errorf("%v %v %v with one delivery to make", applied, waiting, err)
	}
	claim, err := a.Claim(ctx, ledger.ClaimRequest{Destination: "audit", Batch: batch.ID, Limit: 10, Lease: time.Minute})
	if err != nil || len(claim.Items) != 1 {
		t.Fatal(claim, err)
	}
	done := []ledger.Outcome{{DeliveryID: claim.Items[0].ID, Result: ledger.OutcomeDelivered}}
	if err := a.Settle(ctx, claim.Token, done); err != nil {
		t.Fatal(err)
	}
	if applied, waiting, err := b.Progress(ctx, batch.ID); err != nil || !applied || len(waiting) != 0 {
		t.Errorf("%v %v %v when everything is delivered", applied, waiting, err)
	}
}
