package activities

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// gathering makes a pipe whose destination waits for fuller writes.
func gathering(t *testing.T, records int, wait time.Duration) *pipe {
	d := quick
	d.MaxBatchRecords, d.BatchWait = records, wait
	b := newPipe(t, d)
	b.w.write = func(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
		return delivered(batch), nil
	}
	return b
}

func TestAfterAWriteThatIsNotFullRecordsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gathering(t, 10, time.Hour)
		first := b.book(3)
		if err := b.deliverTo("d", first.ID, 1); err != nil {
			t.Fatalf("the first write waits: %v", err)
		}
		second, third := b.book(2), b.book(4)
		for _, batch := range []int64{second.ID, third.ID} {
			err := applicationError(t, b.deliverTo("d", batch, 1))
			if err.Type() != FailureNotDue || err.NextRetryDelay() < notDueMost {
				t.Errorf("%s: called again after %v, want as late as can be", err.Type(), err.NextRetryDelay())
			}
		}
		// Who has nothing left to deliver need not wait for that.
		if err := b.deliverTo("d", first.ID, 1); err != nil {
			t.Errorf("a batch that is done waits: %v", err)
		}
		if !slices.Equal(b.w.sizes, []int{3}) {
			t.Errorf("writes of %v records", b.w.sizes)
		}
		flow := b.a.flows.get("d")
		flow.mu.Lock()
		flow.gathers = time.Time{} // the hour is over
		flow.mu.Unlock()
		for _, batch := range []int64{second.ID, third.ID} {
			if err := b.deliverTo("d", batch, 1); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(b.w.sizes, []int{3, 6}) {
			t.Errorf("writes of %v records, want what gathered in one", b.w.sizes)
		}
	})
}

func TestFullWritesDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gathering(t, 5, time.Hour)
		for _, batch := range []int64{b.book(5).ID, b.book(7).ID} {
			if err := b.deliverTo("d", batch, 1); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(b.w.sizes, []int{5, 5, 2}) {
			t.Errorf("writes of %v records", b.w.sizes)
		}
		err := applicationError(t, b.deliverTo("d", b.book(5).ID, 1))
		if err.Type() != FailureNotDue {
			t.Errorf("after a write of 2: %v", err)
		}
	})
}
