package activities

import (
	"sync"

	"github.com/sluicehq/sluice/config/mapping"
)

// unfinishedMost bounds what is remembered. Starting over costs writes only.
const unfinishedMost = 100

// unfinished remembers what arrived of records with more elements than one claim
// had time for, so that the next claim goes on where this one ended. It is lost
// with the process, and then all of a record is written again.
type unfinished struct {
	mu         sync.Mutex
	byDelivery map[int64]*progress
}

// progress is what arrived of one version of a record, mapped in one way.
type progress struct {
	version int64
	under   *Settings
	there   map[string]bool // elements
}

func newProgress(p part, under *Settings) *progress {
	return &progress{version: p.output.Record.Version, under: under, there: make(map[string]bool)}
}

func elementOf(c mapping.Part) string {
	return c.Object + "\x00" + c.Record.Key[len(c.Record.Key)-1]
}

// of returns what is known of a delivery; nil if nothing of it arrived.
func (u *unfinished) of(p part, under *Settings) *progress {
	u.mu.Lock()
	defer u.mu.Unlock()
	got := u.byDelivery[p.item.ID]
	if got == nil || got.version != p.output.Record.Version || got.under != under {
		return nil
	}
	return got
}

// note remembers what arrived, or forgets a delivery of which all was tried. A
// delivery is claimed by one attempt at a time, which alone changes its progress.
func (u *unfinished) note(p part, got *progress) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if got == nil {
		delete(u.byDelivery, p.item.ID)
		return
	}
	if u.byDelivery == nil || len(u.byDelivery) >= unfinishedMost {
		u.byDelivery = make(map[int64]*progress)
	}
	u.byDelivery[p.item.ID] = got
}
