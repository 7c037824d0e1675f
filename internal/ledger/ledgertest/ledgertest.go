// Package ledgertest is the one test suite for every implementation of
// [ledger.Ledger]. What it does not ask for, callers must not rely on.
package ledgertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Options are what the suite asks of a ledger that it opens.
type Options struct {
	DedupWindow time.Duration
	Now         func() time.Time // decides about leases, retries and windows
}

// Store is an empty ledger and the ways to end it and open it again on the same
// data. Each returns the new ledger; the suite leaves the old one alone. The
// opener cleans up.
type Store struct {
	Ledger ledger.Ledger
	Reopen func() ledger.Ledger // after Close
	Crash  func() ledger.Ledger // as after a kill -9
}

// Opener makes an empty ledger for a test.
type Opener func(t *testing.T, o Options) Store

// Run holds the implementation to the contract.
func Run(t *testing.T, open Opener) {
	for _, group := range []map[string]func(*kit){
		appendTests, batchTests, applyTests, claimTests, settleTests, deadLetterTests, pauseTests, queryTests, pruneTests, mappingTests, blockTests, modelTests,
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(newKit(t, open))
			})
		}
	}
}

const window = 15 * time.Minute

// kit is one test with its ledger.
type kit struct {
	*testing.T
	ledger.Ledger
	store Store
	clock *clock
	ids   int
}

func newKit(t *testing.T, open Opener) *kit {
	k := &kit{T: t, clock: &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	k.store = open(t, Options{DedupWindow: window, Now: k.clock.now})
	k.Ledger = k.store.Ledger
	return k
}

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (k *kit) must(err error) {
	k.Helper()
	if err != nil {
		k.Fatal(err)
	}
}

func (k *kit) reopen() {
	k.Helper()
	k.must(k.Close())
	k.Ledger = k.store.Reopen()
}

// ev is a whole event, every field set.
func (k *kit) ev() event.Event {
	k.ids++
	now := k.clock.now()
	return event.Event{
		Source: "rootfi", ID: fmt.Sprintf("event-%d", k.ids), Kind: event.KindDataModelChanges, Format: "rootfi/v3b",
		CreatedAt: now.Add(-time.Second), ReceivedAt: now, CompanyID: "4711", Integration: "XERO", Model: "INVOICES",
		Operation: event.Update, SyncID: "sync", JobID: "job", Status: "OK", SyncType: "PULL", Records: 1,
		Body: fmt.Appendf(nil, `{"n":%d}`, k.ids),
	}
}

func (k *kit) append(ev event.Event) ledger.Appended {
	k.Helper()
	a, err := k.Append(k.Context(), ev)
	k.must(err)
	return a
}

// batch appends n events and claims them.
func (k *kit) batch(n int) ledger.Batch {
	k.Helper()
	for range n {
		k.append(k.ev())
	}
	return k.claimBatch(n)
}

func (k *kit) claimBatch(max int) ledger.Batch {
	k.Helper()
	b, ok, err := k.ClaimBatch(k.Context(), max)
	k.must(err)
	if !ok {
		k.Fatal("no batch to claim")
	}
	return b
}

func key(id string) event.RecordKey {
	return event.RecordKey{Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: "INVOICES", PlatformID: id}
}

// set is a change that sets one field, at the position of its event.
func set(id string, seq int64, index int, value string) event.Change {
	return event.Change{
		Key: key(id), Operation: event.Update, Stamp: event.Stamp{At: seq, Seq: seq, Index: int64(index)},
		Fields: map[string]json.RawMessage{"amount": json.RawMessage(value)},
	}
}

// to routes every record to the destinations.
func to(destinations ...string) func(ledger.Merged) []ledger.Want {
	return func(ledger.Merged) []ledger.Want {
		var out []ledger.Want
		for _, d := range destinations {
			out = append(out, ledger.Want{Destination: d, Route: "route-" + d})
		}
		return out
	}
}

func (k *kit) apply(in ledger.Application) ledger.Applied {
	k.Helper()
	if in.Revision == "" {
		in.Revision = "revision"
	}
	a, err := k.Apply(k.Context(), in)
	k.must(err)
	return a
}

// book makes a batch of n records, named by the batch, wanted at the destinations.
func (k *kit) book(n int, destinations ...string) ledger.Batch {
	k.Helper()
	b := k.batch(1)
	var changes []event.Change
	for i := range n {
		changes = append(changes, set(fmt.Sprintf("%d-%d", b.ID, i), b.FirstSeq, i, "1"))
	}
	k.apply(ledger.Application{Batch: b.ID, Changes: changes, Route: to(destinations...), Final: true})
	return b
}

const lease = time.Minute

func (k *kit) claim(destination string, batch int64, limit int) ledger.Claim {
	k.Helper()
	c, err := k.Claim(k.Context(), ledger.ClaimRequest{Destination: destination, Batch: batch, Limit: limit, Lease: lease})
	k.must(err)
	return c
}

// claimN also checks how many there are.
func (k *kit) claimN(destination string, batch int64, limit, want int) ledger.Claim {
	k.Helper()
	c := k.claim(destination, batch, limit)
	if len(c.Items) != want {
		k.Fatalf("claimed %d deliveries, want %d", len(c.Items), want)
	}
	return c
}

// settle gives every delivery of the claim the outcome.
func (k *kit) settle(c ledger.Claim, o ledger.Outcome) {
	k.Helper()
	var all []ledger.Outcome
	for _, d := range c.Items {
		o.DeliveryID = d.ID
		if d.Record != nil {
			o.Version = d.Record.Version
		}
		all = append(all, o)
	}
	k.must(k.Settle(k.Context(), c.Token, all))
}

func (k *kit) deliver(c ledger.Claim) {
	k.Helper()
	k.settle(c, ledger.Outcome{Result: ledger.OutcomeDelivered})
}

func (k *kit) pending(batch int64) map[string]int {
	k.Helper()
	p, err := k.Pending(k.Context(), batch)
	k.must(err)
	return p
}

func (k *kit) undone() []int64 {
	k.Helper()
	all, err := k.Undone(k.Context(), 0, 1000)
	k.must(err)
	var ids []int64
	for _, b := range all {
		ids = append(ids, b.ID)
	}
	return ids
}

func (k *kit) letters(f ledger.DeadLetterFilter) []ledger.DeadLetter {
	k.Helper()
	d, err := k.ListDeadLetters(k.Context(), f)
	k.must(err)
	return d
}

// state returns the one delivery of a record.
func (k *kit) state(id string) ledger.DeliveryState {
	k.Helper()
	r, err := k.RecordsByKey(k.Context(), key(id))
	k.must(err)
	if len(r) != 1 || len(r[0].Deliveries) != 1 {
		k.Fatalf("record %s: %+v, want one with one delivery", id, r)
	}
	return r[0].Deliveries[0]
}

func (k *kit) notFound(err error) {
	k.Helper()
	if !errors.Is(err, ledger.ErrNotFound) {
		k.Errorf("error %v, want ErrNotFound", err)
	}
}

func recordIDs(c ledger.Claim) []string {
	var out []string
	for _, d := range c.Items {
		out = append(out, d.Record.Key.PlatformID)
	}
	return out
}

func same[T comparable](k *kit, what string, got, want []T) {
	k.Helper()
	if !slices.Equal(got, want) {
		k.Errorf("%s: %v, want %v", what, got, want)
	}
}
