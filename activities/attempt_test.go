package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

// applicationError is what Temporal gets of the last attempt.
func applicationError(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	got, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		t.Fatalf("%v is no application error", err)
	}
	return got
}

func TestRateLimitCostsNothingWhileItIsUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := quick
		d.MaxBatchRecords, d.WritesPerSecond, d.Timeout = 1, 0.05, time.Second
		b := newPipe(t, d)
		b.w.write = func(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
			return delivered(batch), nil
		}
		batch := b.book(5)
		claims := &countClaims{Store: b.Ledger}
		b.a.store = claims
		err := applicationError(t, b.deliver(batch.ID, 1))
		if claims.n > 2 {
			t.Errorf("%d claims for one write", claims.n)
		}
		if err.Type() != FailureNotDue || err.NextRetryDelay() < 15*time.Second {
			t.Errorf("%s: called again after %v, want the time until the next write", err.Type(), err.NextRetryDelay())
		}
	})
}

type countClaims struct {
	Store
	n int
}

func (c *countClaims) Claim(ctx context.Context, in ledger.ClaimRequest) (ledger.Claim, error) {
	c.n++
	return c.Store.Claim(ctx, in)
}

// A write that the rate limit or the other writes of its claim held up must not
// be cut off for that: its records would count as failed.
func TestEveryWriteHasItsWholeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := quick
		d.WritesPerSecond, d.Timeout = 4, 400*time.Millisecond
		b := newPipe(t, d)
		b.w.write = func(ctx context.Context, batch destination.Batch) ([]destination.Result, error) {
			deadline, _ := ctx.Deadline()
			if left := time.Until(deadline); left < d.Timeout*9/10 {
				t.Errorf("a write has %v left", left)
			}
			return delivered(batch), nil
		}
		batch := b.bookModels("A", "B", "C", "D", "E", "F")
		if err := b.deliver(batch.ID, 20); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFirstFailureAfterManyAttemptsWaitsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipe(t, quick)
		b.w.write = func(context.Context, destination.Batch) ([]destination.Result, error) { return nil, errors.New("gone") }
		batch := b.book(1)
		for i, want := range []time.Duration{quick.InitialInterval, quick.backoff(1), quick.backoff(2)} {
			time.Sleep(quick.MaxInterval)
			err := applicationError(t, b.deliver(batch.ID, 1))
			if err.Type() != FailureRetry || err.NextRetryDelay() != want {
				t.Errorf("failure %d: %s after %v, want %v", i+1, err.Type(), err.NextRetryDelay(), want)
			}
		}
	})
}

// manyChanges is a payload with changes, one after the other.
type manyChanges int

func (n manyChanges) Changes(ev event.Event) (out []event.Change, unkeyed []Unkeyed, err error) {
	for i := range int(n) {
		out = append(out, event.Change{
			Key: event.RecordKey{Source: "s", Model: "M", PlatformID: fmt.Sprint(i)}, Operation: event.Create, Stamp: ev.Stamp(i),
		})
	}
	return out, []Unkeyed{{Index: int(n), Reason: "no key"}}, nil
}

type countApplied struct {
	Store
	sizes []int
}

func (c *countApplied) Apply(ctx context.Context, in ledger.Application) (ledger.Applied, error) {
	c.sizes = append(c.sizes, len(in.Changes)+len(in.Appends)+len(in.Unkeyed))
	return c.Store.Apply(ctx, in)
}

func TestNoTransactionIsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipe(t, quick)
		table, err := routing.Compile([]config.Route{
			{Name: "r", To: []string{"d"}}, {Name: "log", Mode: "changes", To: []string{"d", "e"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		b.a.settings = func() *Settings { return &Settings{Table: table, Destinations: map[string]Destination{"d": quick}} }
		b.a.payloads = map[string]Payloads{"test": manyChanges(2000)}
		store := &countApplied{Store: b.Ledger}
		b.a.store = store
		if _, err := b.Append(t.Context(), event.Event{
			Source: "s", ID: "1", Kind: event.KindDataModelChanges, Format: "test/1", Model: "M", ReceivedAt: time.Now(), Body: []byte("{}"),
		}); err != nil {
			t.Fatal(err)
		}
		batch, _, err := b.ClaimBatch(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.a.Apply(t.Context(), ApplyInput{Batch: batch.ID}); err != nil {
			t.Fatal(err)
		}
		if most := slices.Max(store.sizes); most > applyChanges {
			t.Errorf("a transaction of %d, want %d at most", most, applyChanges)
		}
		got, err := b.Pending(t.Context(), batch.ID)
		if err != nil || got["d"] != 4000 || got["e"] != 2000 {
			t.Errorf("pending %v, %v", got, err)
		}
		if dead, err := b.Dead(t.Context(), batch.ID, "d"); err != nil || dead != 1 {
			t.Errorf("dead %d, %v", dead, err)
		}
	})
}
