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

// set changes the destination's settings.
func (b *pipe) set(change func(*Destination)) {
	all := b.a.settings().Destinations
	d := all["d"]
	change(&d)
	all["d"] = d
}

// waits asks for the batch, which is not to be delivered within the least time after
// which it is asked for again.
func (b *pipe) waits(batch int64, least time.Duration) {
	b.Helper()
	err := applicationError(b.T, b.deliverTo("d", batch, 1))
	if err.Type() != FailureNotDue || err.NextRetryDelay() < least {
		b.Errorf("%s: called again after %v, want %v at least", err.Type(), err.NextRetryDelay(), least)
	}
}

// delivers asks for the batches, which are to be delivered now.
func (b *pipe) delivers(batches ...int64) {
	b.Helper()
	for _, batch := range batches {
		if err := b.deliverTo("d", batch, 1); err != nil {
			b.Error(err)
		}
	}
}

func (b *pipe) wrote(sizes ...int) {
	b.Helper()
	if !slices.Equal(b.w.sizes, sizes) {
		b.Errorf("writes of %v records, want %v", b.w.sizes, sizes)
	}
}

func TestRecordsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gathering(t, 10, time.Hour)
		for range 2 { // one hour begins when the other has ended in a write
			first, second := b.book(3), b.book(2)
			b.waits(first.ID, notDueMost)
			time.Sleep(59 * time.Minute)
			b.waits(second.ID, 59*time.Second)
			b.wrote()
			time.Sleep(time.Minute)
			b.delivers(second.ID, first.ID)
			b.wrote(5)
			b.w.sizes = nil
			time.Sleep(10 * time.Hour)
			b.delivers(first.ID) // has nothing left: does not begin an hour
		}
	})
}

func TestFullWritesDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gathering(t, 5, time.Hour)
		first, second := b.book(5), b.book(7)
		b.waits(first.ID, notDueMost)
		time.Sleep(time.Hour)
		b.delivers(first.ID, second.ID)
		b.wrote(5, 5, 2)
		b.waits(b.book(5).ID, notDueMost)
	})
}

// A claim that its bytes end leaves something to write, whosever it is.
func TestWritesFullOfBytesDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gathering(t, 10, time.Hour)
		b.set(func(d *Destination) { d.MaxBatchBytes = 1 })
		first, second := b.book(1), b.book(2)
		b.waits(first.ID, notDueMost)
		time.Sleep(time.Hour)
		b.delivers(first.ID, second.ID)
		b.wrote(1, 1, 1)
		b.waits(b.book(1).ID, notDueMost)
	})
}

func TestTimeToGatherIsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gathering(t, 5, time.Hour)
		first := b.book(1)
		b.waits(first.ID, notDueMost)
		b.set(func(d *Destination) { d.BatchWait = time.Minute })
		b.waits(first.ID, 59*time.Second)
		time.Sleep(time.Minute)
		b.delivers(first.ID)
		b.wrote(1)
	})
}

// What waits for its next attempt lets nothing gather yet.
func TestRetriesGatherWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := gathering(t, 5, time.Minute)
		down := true
		b.w.write = func(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
			if down {
				return slices.Repeat([]destination.Result{{Kind: destination.Retry, Until: time.Now().Add(time.Hour)}}, len(batch.Records)), nil
			}
			return delivered(batch), nil
		}
		first := b.book(1)
		b.waits(first.ID, 59*time.Second)
		time.Sleep(time.Minute)
		b.waits(first.ID, notDueMost) // was written, and is to be repeated in an hour
		b.wrote(1)
		down = false
		time.Sleep(59 * time.Minute)
		second := b.book(1)
		b.waits(second.ID, 59*time.Second)
		time.Sleep(time.Minute)
		b.delivers(second.ID, first.ID)
		b.wrote(1, 2)
	})
}
