package sqlite_test

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
)

// The two files may come from backups of different moments. What cannot be
// delivered must end, and must not keep the rest from its turn.
func TestDeliveriesOfMissingEventsAreGivenUp(t *testing.T) {
	dir := t.TempDir()
	l := open(t, sqlite.Options{Dir: dir})
	ctx := t.Context()
	for _, id := range []string{"1", "2", "3"} {
		if _, err := l.Append(ctx, event.Event{Source: "s", ID: id, Kind: event.KindSyncCompleted, ReceivedAt: time.Now(), Body: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	b, _, err := l.ClaimBatch(ctx, 10)
	if err != nil {
		t.Fatal(err)
	}
	var wants []ledger.AppendWant
	for _, e := range b.Events {
		wants = append(wants, ledger.AppendWant{Want: ledger.Want{Destination: "d", Route: "r"}, Seq: e.Seq, Index: -1})
	}
	if _, err := l.Apply(ctx, ledger.Application{Batch: b.ID, Appends: wants, Final: true}); err != nil {
		t.Fatal(err)
	}
	query(t, dir, "events", `DELETE FROM events WHERE seq < 3 RETURNING seq`)

	claim := func() ledger.Claim {
		c, err := l.Claim(ctx, ledger.ClaimRequest{Destination: "d", Batch: b.ID, Limit: 1, Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range 3 {
		if c := claim(); len(c.Items) == 1 {
			if err := l.Settle(ctx, c.Token, []ledger.Outcome{{DeliveryID: c.Items[0].ID, Result: ledger.OutcomeDelivered}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if c := claim(); c.OwnLeft != 0 {
		t.Errorf("%d are waiting still", c.OwnLeft)
	}
	letters, err := l.ListDeadLetters(ctx, ledger.DeadLetterFilter{})
	if err != nil || len(letters) != 2 || letters[0].Code != "event_missing" || letters[0].EventSeq != 2 {
		t.Errorf("dead letters %+v, %v", letters, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, dir)
}
