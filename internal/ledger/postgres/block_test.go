package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/pgtest"
)

// member is the key of one of many records.
func member(id string) event.RecordKey {
	return event.RecordKey{Source: "rootfi", Model: "M", PlatformID: id}
}

// bookMembers makes a batch in which the records are new or changed.
func bookMembers(t *testing.T, l *postgres.Ledger, ids ...string) ledger.Batch {
	t.Helper()
	if _, err := l.Append(t.Context(), event.Event{Source: "rootfi", ID: fmt.Sprint(ids, rand.Uint64())}); err != nil {
		t.Fatal(err)
	}
	b, ok, err := l.ClaimBatch(t.Context(), 1)
	if err != nil || !ok {
		t.Fatalf("claimed %+v, %v", b, err)
	}
	in := ledger.Application{Batch: b.ID, Final: true, Route: toD}
	for i, id := range ids {
		in.Changes = append(in.Changes, event.Change{
			Key: member(id), Operation: event.Update, Stamp: event.Stamp{At: b.FirstSeq, Seq: b.FirstSeq, Index: int64(i)},
			Fields: map[string]json.RawMessage{"n": json.RawMessage(fmt.Sprint(b.FirstSeq))},
		})
	}
	if _, err := l.Apply(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return b
}

// claimOne claims the one delivery of a batch that is due.
func claimOne(t *testing.T, l *postgres.Ledger, batch int64) ledger.Claim {
	t.Helper()
	c := claimDue(t, l, batch)
	if len(c.Items) != 1 || c.Items[0].Batch != batch {
		t.Fatalf("claimed %+v of batch %d", c.Items, batch)
	}
	return c
}

func claimDue(t *testing.T, l *postgres.Ledger, batch int64) ledger.Claim {
	t.Helper()
	c, err := l.Claim(t.Context(), ledger.ClaimRequest{Destination: "d", Batch: batch, Limit: 1, Lease: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func settleAs(ctx context.Context, l *postgres.Ledger, c ledger.Claim, o ledger.Outcome) error {
	o.DeliveryID, o.Version = c.Items[0].ID, c.Items[0].Record.Version
	return l.Settle(ctx, c.Token, []ledger.Outcome{o})
}

func blockedBy(parent string) ledger.Outcome {
	return ledger.Outcome{
		Result: ledger.OutcomeBlocked, ErrorKind: "dependency", RetryAt: time.Now().Add(time.Hour), Parents: []event.RecordKey{member(parent)},
	}
}

var arrivedNow = ledger.Outcome{Result: ledger.OutcomeDelivered}

// holding keeps a transaction of somebody else open, which has made the
// statement.
func holding(t *testing.T, url, sql string, args ...any) pgx.Tx {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SET LOCAL search_path = sluice"); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
	return tx
}

// waitingForLock waits until a session waits for a lock.
func waitingForLock(t *testing.T, url string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if query[int64](t, url, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`) > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("nobody waits for a lock")
		}
	}
}

// A parent is being booked elsewhere, and its settlement did not see who waits.
func TestAChildWaitsForTheBookingOfItsParent(t *testing.T) {
	url := pgtest.URL(t)
	l := open(t, postgres.Options{URL: url})
	parent, child := bookMembers(t, l, "parent"), bookMembers(t, l, "child")
	p, c := claimOne(t, l, parent.ID), claimOne(t, l, child.ID)
	elsewhere := holding(t, url, `SELECT 1 FROM deliveries WHERE id = $1 FOR UPDATE`, p.Items[0].ID)
	settled := make(chan error, 1)
	go func() { settled <- settleAs(t.Context(), l, c, blockedBy("parent")) }()
	waitingForLock(t, url)
	if _, err := elsewhere.Exec(t.Context(), `UPDATE deliveries SET delivered = 1 WHERE id = $1`, p.Items[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := elsewhere.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-settled; err != nil {
		t.Fatal(err)
	}
	claimOne(t, l, child.ID)
}

// What waits may be held by somebody: whoever books its parent does not wait.
func TestAParentStepsOverWhatIsHeld(t *testing.T) {
	url := pgtest.URL(t)
	l := open(t, postgres.Options{URL: url})
	child := bookMembers(t, l, "child", "sister")
	var held int64
	for range 2 {
		c := claimOne(t, l, child.ID)
		if c.Items[0].Record.Key.PlatformID == "child" {
			held = c.Items[0].ID
		}
		if err := settleAs(t.Context(), l, c, blockedBy("parent")); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := holding(t, url, `SELECT 1 FROM deliveries WHERE id = $1 FOR UPDATE`, held)
	for range 2 {
		b := bookMembers(t, l, "parent")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := settleAs(ctx, l, claimOne(t, l, b.ID), arrivedNow)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		c := claimOne(t, l, child.ID)
		if err := settleAs(t.Context(), l, c, arrivedNow); err != nil {
			t.Fatal(err)
		}
		if c := claimDue(t, l, child.ID); len(c.Items) != 0 {
			t.Errorf("claimed %+v too", c.Items)
		}
		// Its row was left: the next delivery of the parent wakes it.
		_ = elsewhere.Rollback(t.Context())
	}
	if n := query[int64](t, url, `SELECT count(*) FROM parents`); n != 0 {
		t.Errorf("%d rows of parents are left", n)
	}
	checkTables(t, url)
}

// Records in long lines, each of which needs the one before, are delivered by
// several instances in any order. Nobody is left to wait for its moment.
func TestParentsWakeOverInstances(t *testing.T) {
	url := pgtest.URL(t)
	const lines, length = 12, 10
	var all []*postgres.Ledger
	for range 3 {
		all = append(all, open(t, postgres.Options{URL: url, MaxConnections: 6}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	var order []string
	for line := range lines {
		for at := range length {
			order = append(order, fmt.Sprintf("%02d-%d", line, at))
		}
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	arrived := make(map[string]bool)
	waits := 0
	decide := func(l *postgres.Ledger, d ledger.Delivery) (o ledger.Outcome, err error) {
		var line, at int
		if _, err = fmt.Sscanf(d.Record.Key.PlatformID, "%d-%d", &line, &at); err != nil {
			return o, err
		}
		if at > 0 {
			parent := fmt.Sprintf("%02d-%d", line, at-1)
			there, err := l.Arrived(ctx, "d", []event.RecordKey{member(parent)})
			if err != nil {
				return o, err
			}
			mu.Lock()
			defer mu.Unlock()
			if len(there) == 0 {
				waits++
				o = blockedBy(parent)
				o.DeliveryID = d.ID
				return o, nil
			}
			if !arrived[parent] {
				t.Errorf("%s arrived before its parent", d.Record.Key.PlatformID)
			}
		} else {
			mu.Lock()
			defer mu.Unlock()
		}
		arrived[d.Record.Key.PlatformID] = true
		o = arrivedNow
		o.DeliveryID, o.Version = d.ID, d.Record.Version
		return o, nil
	}
	work := func(l *postgres.Ledger) error {
		for {
			mu.Lock()
			done := len(arrived) == lines*length
			mu.Unlock()
			c, err := l.Claim(ctx, ledger.ClaimRequest{Destination: "d", Limit: 1 + rand.IntN(8), Lease: time.Hour})
			if err != nil || done && len(c.Items) == 0 {
				return err
			}
			var outcomes []ledger.Outcome
			for _, d := range c.Items {
				o, err := decide(l, d)
				if err != nil {
					return err
				}
				outcomes = append(outcomes, o)
			}
			if err := l.Settle(ctx, c.Token, outcomes); err != nil {
				return err
			}
		}
	}
	var wg sync.WaitGroup
	for n := range 6 {
		wg.Go(func() {
			if err := work(all[n%len(all)]); err != nil {
				t.Error(err)
			}
		})
	}
	for some := range slices.Chunk(order, 15) {
		bookMembers(t, all[0], some...)
	}
	wg.Wait()
	if len(arrived) != lines*length {
		t.Errorf("%d of %d arrived: %s", len(arrived), lines*length, query[string](t, url, `SELECT coalesce(string_agg(d.id || ' due ' || coalesce(d.due::text, 'now'), ', '), '')
			FROM deliveries d WHERE state = 0`))
	}
	t.Logf("%d waits", waits)
	checkTables(t, url)
}
