package sqlite

import (
	"maps"
	"sync"
)

// filling are batches without events whose deliveries are being booked. Such a
// batch is in one file before the first of them is in the other, so that until
// then it looks done. In memory only: after a crash, one that stayed empty is.
type filling struct {
	mu      sync.Mutex
	batches map[int64]bool
}

func (f *filling) all() map[int64]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.batches)
}

func (f *filling) begin() *fill { return &fill{of: f} }

// fill is one operation that fills a batch. It may have to begin it again, under
// another number.
type fill struct {
	of  *filling
	ids []int64
}

func (f *fill) add(batch int64) {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if f.of.batches == nil {
		f.of.batches = make(map[int64]bool)
	}
	f.of.batches[batch] = true
	f.ids = append(f.ids, batch)
}

// end may be called more than once.
func (f *fill) end() {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	for _, id := range f.ids {
		delete(f.of.batches, id)
	}
	f.ids = nil
}
